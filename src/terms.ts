/** On what terms a target runs: a cycle, a limit of CPU time, a share of a pool. Checked here, and put into the numbers that the native side takes. */
import * as v from "valibot";
import { check, cpuLimit, durationIn, oneOf } from "./check.js";
import type { CpuLimit } from "./cpu-limit.js";
import type { Duration } from "./duration.js";
import { HobbleError } from "./errors.js";
import { PhaseMode, TERMS_FIELDS, TermsField } from "./native.js";
import type { Pool } from "./pool.js";

export interface CycleOptions {
  /** How long the target runs in each period: 100 µs to 1 h. */
  run: Duration;
  /** How long it is stopped in each period: 100 µs to 1 h. */
  stop: Duration;
  /**
   * Where in the period it begins to run. "spread": evenly among the targets; "aligned": together with all others that are aligned; or an offset
   * from 0 to 2 h, of which the part within the period counts. Default "spread".
   */
  phase?: "spread" | "aligned" | Duration | undefined;
  /** Leave out the stop when nothing was spent in the run window, so that a target that sleeps gets no signal. Default false. */
  spareIdle?: boolean | undefined;
}

export interface LimitOptions {
  /** The CPU time that all members together may spend: `0.05` or `"5%"` of one CPU, `2` or `"200%"` = two CPUs. From 0.0001 to 4096 CPUs. */
  limit: CpuLimit;
  /** How far ahead it may spend, as time at the limit's rate: 1 ms to 60 s. Default 100 ms. */
  burst?: Duration | undefined;
  /** Shortest run window: 100 µs to 1 s. Default 1 ms. */
  minRun?: Duration | undefined;
}

export interface ShareOptions {
  /** The pool whose limit it shares, or its name. */
  pool: Pool | string;
  /** Of its share, beside the weights of the others: 0.001 to 1000. Default 1. */
  weight?: number | undefined;
}

/**
 * What a target is added with: a cycle, a limit, a share of a pool, or any of these together. A cycle with a limit leaves out run windows for which
 * nothing was earned; a target of a pool that has a limit of its own keeps both.
 */
export type TargetTerms =
  | (CycleOptions & Partial<LimitOptions> & Partial<ShareOptions>)
  | (LimitOptions & Partial<ShareOptions>)
  | (ShareOptions & Partial<LimitOptions>);

/** What `update` takes. What is not given stays as it is; `null` takes a cycle (`run: null`), a limit or a pool away. */
export interface TermsChanges extends Partial<Omit<CycleOptions, "run">>, Partial<Omit<LimitOptions, "limit">> {
  run?: Duration | null | undefined;
  limit?: CpuLimit | null | undefined;
  pool?: Pool | string | null | undefined;
  weight?: number | undefined;
}

const minWindowNs = 100e3;
const maxWindowNs = 3600e9;
export const defaultBurstNs = 100e6;
export const defaultMinRunNs = 1e6;

const windowLength = durationIn(minWindowNs, maxWindowNs, 'a duration from 100 us to 1 h, such as "10ms"');
const phaseMust = '"spread", "aligned" or a duration from 0 to 2 h';
const phase = v.union([oneOf("spread", "aligned"), durationIn(0, 2 * maxWindowNs, phaseMust)], phaseMust);
export const burstLength = durationIn(1e6, 60e9, 'a duration from 1 ms to 60 s, such as "100ms"');
export const minRunLength = durationIn(100e3, 1e9, 'a duration from 100 us to 1 s, such as "1ms"');
const weightMust = "a number from 0.001 to 1000";
const weight = v.pipe(v.number(weightMust), v.minValue(1e-3, weightMust), v.maxValue(1e3, weightMust));

const ofCycle = { phase: v.optional(phase), spareIdle: v.optional(v.boolean("true or false")) };
const ofLimit = { burst: v.optional(burstLength), minRun: v.optional(minRunLength) };
const ofShare = { pool: v.unknown(), weight: v.optional(weight) };
const optionalShare = { ...ofShare, pool: v.optional(v.unknown()) };
const cycleTerms = v.strictObject(
  { run: windowLength, stop: windowLength, ...ofCycle, limit: v.optional(cpuLimit()), ...ofLimit, ...optionalShare },
  "an object",
);
const limitTerms = v.strictObject({ limit: cpuLimit(), ...ofLimit, ...optionalShare }, "an object");
const shareTerms = v.strictObject({ ...ofShare, limit: v.optional(cpuLimit()), ...ofLimit }, "an object");

/** Terms that are in order. `input` is what they were made of; `block` what `NativeEngine.add` takes. */
export interface CheckedTerms {
  readonly input: TargetTerms;
  readonly block: Float64Array;
}

/** The id of a pool that is given as itself or by its name. Throws when there is none. */
export type FindPool = (pool: unknown) => number;

const noPools: FindPool = () => {
  throw new HobbleError("EINVAL", "there is no pool here");
};

let last: CheckedTerms | undefined;

export function checkTerms(input: TargetTerms, findPool: FindPool = noPools): CheckedTerms {
  // Most targets get the terms of the one before: comparing costs 50 ns, parsing some microseconds, and `add` is called 10,000 times in a row.
  if (last !== undefined && same(last.input, input)) return last;
  const checked = { input: { ...input }, block: blockOf(input, findPool) };
  // A pool's name may mean another pool next time.
  last = has(input, "pool") ? undefined : checked;
  return checked;
}

/** `terms` with `changes`. */
export function checkTermsUpdate(terms: CheckedTerms, changes: TermsChanges, findPool: FindPool): CheckedTerms {
  if (typeof changes !== "object" || changes === null) throw new HobbleError("EINVAL", "the change must be an object");
  const merged: Record<string, unknown> = { ...terms.input };
  for (const [key, value] of Object.entries(changes)) if (value !== undefined) merged[key] = value;
  // What belongs to something that was taken away goes with it.
  for (const [key, more] of [
    ["run", ["stop", "phase", "spareIdle"]],
    ["limit", ["burst", "minRun"]],
    ["pool", ["weight"]],
  ] as const) {
    if (merged[key] === null) for (const gone of [key, ...more]) delete merged[gone];
  }
  // One that was closed goes on for those that belong to it, and its name may be another pool's by now.
  const stays: FindPool = () => terms.block[TermsField.pool] ?? 0;
  return checkTerms(merged as unknown as TargetTerms, changes.pool === undefined ? stays : findPool);
}

/** Share of the time that a cycle lets its target run; undefined without a cycle. */
export function cycleDuty({ block }: CheckedTerms): number | undefined {
  const run = block[TermsField.runNs] ?? 0;
  return run > 0 ? run / (run + (block[TermsField.stopNs] ?? 0)) : undefined;
}

function blockOf(input: TargetTerms, findPool: FindPool): Float64Array {
  const block = new Float64Array(TERMS_FIELDS);
  const cyclic = has(input, "run") || has(input, "stop") || !(has(input, "limit") || has(input, "pool"));
  if (cyclic) {
    const { run, stop, phase = "spread", spareIdle } = check(cycleTerms, input, "the cycle");
    block[TermsField.runNs] = run;
    block[TermsField.stopNs] = stop;
    block[TermsField.phaseMode] = typeof phase === "number" ? PhaseMode.offset : PhaseMode[phase];
    block[TermsField.phaseNs] = typeof phase === "number" ? phase : 0;
    block[TermsField.spareIdle] = spareIdle ? 1 : 0;
  }
  const schema = cyclic ? cycleTerms : has(input, "limit") ? limitTerms : shareTerms;
  const { limit, burst, minRun, pool, weight = 1 } = check(schema, input, "the terms");
  if (limit === undefined && (burst ?? minRun) !== undefined) {
    throw new HobbleError("EINVAL", "burst and minRun belong to a limit, and there is none");
  }
  block[TermsField.limit] = limit ?? 0;
  block[TermsField.burstNs] = burst ?? defaultBurstNs;
  block[TermsField.minRunNs] = minRun ?? defaultMinRunNs;
  block[TermsField.pool] = pool === undefined ? 0 : findPool(pool);
  block[TermsField.weight] = weight;
  return block;
}

function has(input: unknown, key: string): boolean {
  return typeof input === "object" && input !== null && (input as Record<string, unknown>)[key] !== undefined;
}

/** Their own properties and no others, in any order. */
function same(a: object, b: unknown): boolean {
  if (typeof b !== "object" || b === null) return false;
  let count = 0;
  for (const key in a) {
    if ((a as Record<string, unknown>)[key] !== (b as Record<string, unknown>)[key]) return false;
    ++count;
  }
  for (const _ in b) --count;
  return count === 0;
}
