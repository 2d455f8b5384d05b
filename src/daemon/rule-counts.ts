/** How often each rule and quota did what. */
import type { Configuration } from "../rules/configuration.js";
import type { Decision, RuleStats } from "./supervisor.js";
import type { Entry } from "./target-book.js";

interface Counts {
  hobbled: number;
  escalated: number;
  released: number;
}

export class RuleCounts {
  readonly #counts = new Map<string, Counts>();

  count({ kind, origin, by }: Decision): void {
    if (by === null || (origin !== "rule" && origin !== "quota")) return;
    const counts = this.#of(by);
    // A rule that only watches counts what it would have done.
    if (kind === "hobbled" || kind === "watched") counts.hobbled++;
    else if (kind === "escalated") counts.escalated++;
    else if (kind === "released") counts.released++;
  }

  stats({ ruleSet, quotas }: Configuration, entries: Iterable<Entry>): RuleStats[] {
    const targets = new Map<string, number>();
    for (const { by, origin } of entries) if (origin !== "hand") targets.set(by, (targets.get(by) ?? 0) + 1);
    const stats = (origin: "rule" | "quota", { name, mode }: { name: string; mode: "hobble" | "watch" }) => ({
      rule: name,
      mode,
      origin,
      targets: targets.get(name) ?? 0,
      ...this.#of(name),
    });
    return [...ruleSet.rules.map((rule) => stats("rule", rule)), ...quotas.map((quota) => stats("quota", quota))];
  }

  #of(name: string): Counts {
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = { hobbled: 0, escalated: 0, released: 0 };
      this.#counts.set(name, counts);
    }
    return counts;
  }
}
