/** Targets that share one limit, as their owner holds it. */
import * as v from "valibot";
import { check, cpuLimit, wholeNumber } from "./check.js";
import { HobbleError } from "./errors.js";
import { burstLength, defaultBurstNs, defaultMinRunNs, minRunLength } from "./terms.js";

const concurrencyMust = "a whole number from 1";
const entries = {
  limit: cpuLimit(),
  concurrency: v.optional(wholeNumber(1, 1e6, concurrencyMust)),
  burst: v.optional(burstLength),
  minRun: v.optional(minRunLength),
};
const poolOptions = v.strictObject(entries, "an object");
/** For its hobbler. */
export let idOf;
export class Pool {
  name;
  #engine;
  #forget;
  #id;
  #options;
  #closed = false;
  static {
    idOf = (pool) => (pool.#closed ? undefined : pool.#id);
  }
  /** @internal Pools come from `Hobbler.pool`. */
  constructor(engine, name, options, forget) {
    this.name = name;
    this.#engine = engine;
    this.#forget = forget;
    this.#options = { ...options };
    this.#id = engine.addPool(...numbers(check(poolOptions, options, "the pool")));
  }
  /**
   * Changes its limit or how it is shared; what is not given stays as it is.
   *
   * @throws HobbleError `EINVAL` for a value out of its range, `ERR_CLOSED` after `close`.
   */
  update(changes) {
    if (this.#closed) throw new HobbleError("ERR_CLOSED", `the pool ${this.name} is closed`);
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const options = { ...this.#options, ...given };
    this.#engine.updatePool(this.#id, ...numbers(check(poolOptions, options, "the pool")));
    this.#options = options;
  }
  /** Undefined after `close`. */
  stats() {
    const stats = this.#closed ? undefined : this.#engine.poolStats(this.#id);
    return stats && { ...stats, shareAchieved: stats.meteredNs > 0 ? stats.spentNs / stats.meteredNs : undefined };
  }
  /** No target can join it any more. Those that belong to it stay until they end or are released, and share its limit until then. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.endPool(this.#id);
    this.#forget();
  }
}
/** @throws HobbleError `EINVAL` */
export function checkPool(options) {
  check(poolOptions, options, "the pool");
}
function numbers({ limit, burst, minRun, concurrency }) {
  return [limit, burst ?? defaultBurstNs, minRun ?? defaultMinRunNs, concurrency ?? 0];
}
