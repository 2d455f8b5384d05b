export class RuleCounts {
  #counts = new Map();
  count({ kind, origin, by }) {
    if (by === null || (origin !== "rule" && origin !== "quota")) return;
    const counts = this.#of(by);
    // A rule that only watches counts what it would have done.
    if (kind === "hobbled" || kind === "watched") counts.hobbled++;
    else if (kind === "escalated") counts.escalated++;
    else if (kind === "released") counts.released++;
  }
  stats({ ruleSet, quotas }, entries) {
    const targets = new Map();
    for (const { by, origin } of entries) if (origin !== "hand") targets.set(by, (targets.get(by) ?? 0) + 1);
    const stats = (origin, { name, mode }) => ({
      rule: name,
      mode,
      origin,
      targets: targets.get(name) ?? 0,
      ...this.#of(name),
    });
    return [...ruleSet.rules.map((rule) => stats("rule", rule)), ...quotas.map((quota) => stats("quota", quota))];
  }
  #of(name) {
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = { hobbled: 0, escalated: 0, released: 0 };
      this.#counts.set(name, counts);
    }
    return counts;
  }
}
