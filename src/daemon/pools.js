export class Pools {
  #hobbler;
  #made = new Map();
  constructor(hobbler) {
    this.#hobbler = hobbler;
  }
  /** Makes, changes and closes pools, so that there are these. Targets of a closed one share its limit until they are moved or released. */
  keep(wanted) {
    for (const name of this.#made.keys()) {
      if (wanted.has(name)) continue;
      this.#hobbler.pools.get(name)?.close();
      this.#made.delete(name);
    }
    for (const [name, { limit, concurrency }] of wanted) {
      const before = this.#made.get(name);
      if (before !== undefined && before.limit === limit && before.concurrency === concurrency) continue;
      const pool = this.#hobbler.pools.get(name);
      if (pool === undefined) this.#hobbler.pool(name, { limit, concurrency });
      else pool.update({ limit, concurrency });
      this.#made.set(name, { limit, concurrency });
    }
  }
}
