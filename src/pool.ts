/** Targets that share one limit, as their owner holds it. */
import * as v from "valibot";
import { check, cpuLimit, wholeNumber } from "./check.js";
import type { CpuLimit } from "./cpu-limit.js";
import type { Duration } from "./duration.js";
import { HobbleError } from "./errors.js";
import type { NativeEngine } from "./native.js";
import { burstLength, defaultBurstNs, defaultMinRunNs, minRunLength } from "./terms.js";

export interface PoolOptions {
  /** The CPU time that all its targets together may spend, as `limit` of a target. */
  limit: CpuLimit;
  /** Most of its busy targets that run at once; the others wait for their turn. Default: as many as it takes to spend the limit. */
  concurrency?: number | undefined;
  /** How far ahead the pool may spend, as time at the limit's rate: 1 ms to 60 s. Default 100 ms. */
  burst?: Duration | undefined;
  /** Shortest turn: 100 µs to 1 s. Default 1 ms. */
  minRun?: Duration | undefined;
}

/** What `update` takes. */
export interface PoolChanges {
  limit?: CpuLimit | undefined;
  concurrency?: number | null | undefined;
  burst?: Duration | null | undefined;
  minRun?: Duration | null | undefined;
}

export interface PoolStats {
  /** In CPUs. */
  limit: number;
  /** Targets that belong to it, those of them that wait, stopped, for their turn, and those that have one. The others are idle, or want less than their share. */
  targets: number;
  waiting: number;
  inTurn: number;
  /** Turns that were given since it was made. */
  turns: number;
  /** Wall time since it was made, and the CPU time that its targets spent in it, up to the last look. */
  meteredNs: number;
  spentNs: number;
  /** spentNs / meteredNs, in CPUs; undefined at the very beginning. */
  shareAchieved: number | undefined;
}

const concurrencyMust = "a whole number from 1";
const entries = {
  limit: cpuLimit(),
  concurrency: v.optional(wholeNumber(1, 1e6, concurrencyMust)),
  burst: v.optional(burstLength),
  minRun: v.optional(minRunLength),
};
const poolOptions = v.strictObject(entries, "an object");
type CheckedPool = v.InferOutput<typeof poolOptions>;

/** For its hobbler. */
export let idOf: (pool: Pool) => number | undefined;

export class Pool {
  readonly name: string;
  readonly #engine: NativeEngine;
  readonly #forget: () => void;
  readonly #id: number;
  #options: PoolOptions;
  #closed = false;

  static {
    idOf = (pool) => (pool.#closed ? undefined : pool.#id);
  }

  /** @internal Pools come from `Hobbler.pool`. */
  constructor(engine: NativeEngine, name: string, options: PoolOptions, forget: () => void) {
    this.name = name;
    this.#engine = engine;
    this.#forget = forget;
    this.#options = { ...options };
    this.#id = engine.addPool(...numbers(check(poolOptions, options, "the pool")));
  }

  /**
   * Changes its limit or how it is shared; what is not given stays as it is, `null` goes back to the default.
   *
   * @throws HobbleError `EINVAL` for a value out of its range, `ERR_CLOSED` after `close`.
   */
  update(changes: PoolChanges): void {
    if (this.#closed) throw new HobbleError("ERR_CLOSED", `the pool ${this.name} is closed`);
    if (typeof changes !== "object" || changes === null) throw new HobbleError("EINVAL", "the change must be an object");
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const merged = { ...this.#options, ...given };
    const options = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as unknown as PoolOptions;
    this.#engine.updatePool(this.#id, ...numbers(check(poolOptions, options, "the pool")));
    this.#options = options;
  }

  /** Undefined after `close`. */
  stats(): PoolStats | undefined {
    const stats = this.#closed ? undefined : this.#engine.poolStats(this.#id);
    return stats && { ...stats, shareAchieved: stats.meteredNs > 0 ? stats.spentNs / stats.meteredNs : undefined };
  }

  /** No target can join it any more. Those that belong to it stay until they end or are released, and share its limit until then. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.endPool(this.#id);
    this.#forget();
  }
}

/** @throws HobbleError `EINVAL` */
export function checkPool(options: PoolOptions): void {
  check(poolOptions, options, "the pool");
}

function numbers({ limit, burst, minRun, concurrency }: CheckedPool): [number, number, number, number] {
  return [limit, burst ?? defaultBurstNs, minRun ?? defaultMinRunNs, concurrency ?? 0];
}
