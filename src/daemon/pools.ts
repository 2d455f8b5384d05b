/** The pools of a configuration, and those that a quota makes for what belongs to one account. */
import type { Hobbler } from "../hobbler.js";
import type { PoolSettings } from "../rules/schema.js";

export class Pools {
  readonly #hobbler: Hobbler;
  readonly #made = new Map<string, PoolSettings>();

  constructor(hobbler: Hobbler) {
    this.#hobbler = hobbler;
  }

  /** Makes, changes and closes pools, so that there are these. Targets of a closed one share its limit until they are moved or released. */
  keep(wanted: ReadonlyMap<string, PoolSettings>): void {
    for (const name of this.#made.keys()) {
      if (wanted.has(name)) continue;
      this.#hobbler.pools.get(name)?.close();
      this.#made.delete(name);
    }
    this.add(wanted);
  }

  /** Makes and changes pools, so that there are these too. */
  add(wanted: ReadonlyMap<string, PoolSettings>): void {
    for (const [name, { limit, concurrency }] of wanted) {
      const before = this.#made.get(name);
      if (before !== undefined && before.limit === limit && before.concurrency === concurrency) continue;
      const pool = this.#hobbler.pools.get(name);
      if (pool === undefined) this.#hobbler.pool(name, { limit, concurrency });
      else pool.update({ limit, concurrency: concurrency ?? null });
      this.#made.set(name, { limit, concurrency });
    }
  }
}
