/** On what terms a target runs: a cycle, a limit of CPU time, or both. Checked here, and put into the block of numbers that the native side takes. */
import * as v from "valibot";
import { check, cpuLimit, durationIn, oneOf } from "./check.js";
import type { CpuLimit } from "./cpu-limit.js";
import type { Duration } from "./duration.js";
import { HobbleError } from "./errors.js";
import { PhaseMode, TERMS_FIELDS, TermsField } from "./native.js";

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
}

export interface LimitOptions {
  /** The CPU time that all members together may spend: `0.05` or `"5%"` of one CPU, `2` or `"200%"` = two CPUs. From 0.0001 to 4096 CPUs. */
  limit: CpuLimit;
  /** How far ahead it may spend, as time at the limit's rate: 1 ms to 60 s. Default 100 ms. */
  burst?: Duration | undefined;
  /** Shortest run window: 100 µs to 1 s. Default 1 ms. */
  minRun?: Duration | undefined;
}

/** What a target is added with. */
export type TargetTerms = CycleOptions | LimitOptions;

/** What `update` takes: a cycle or a limit in full takes the place of the other; a part of one changes the one there is. */
export type TermsChanges = Partial<CycleOptions> | Partial<LimitOptions>;

const minWindowNs = 100e3;
const maxWindowNs = 3600e9;
const defaultBurstNs = 100e6;
const defaultMinRunNs = 1e6;

const windowLength = durationIn(minWindowNs, maxWindowNs, 'a duration from 100 us to 1 h, such as "10ms"');
const phaseMust = '"spread", "aligned" or a duration from 0 to 2 h';
const phase = v.union([oneOf("spread", "aligned"), durationIn(0, 2 * maxWindowNs, phaseMust)], phaseMust);
const cycleEntries = { run: windowLength, stop: windowLength, phase: v.optional(phase, "spread") };
const limitEntries = {
  limit: cpuLimit(),
  burst: v.optional(durationIn(1e6, 60e9, 'a duration from 1 ms to 60 s, such as "100ms"')),
  minRun: v.optional(durationIn(100e3, 1e9, 'a duration from 100 us to 1 s, such as "1ms"')),
};
const cycleTerms = v.strictObject(cycleEntries, "an object");
const limitTerms = v.strictObject(limitEntries, "an object");

/** Terms that are in order. `input` is what they were made of; `block` what `NativeEngine.add` takes. */
export interface CheckedTerms {
  readonly input: TargetTerms;
  readonly block: Float64Array;
}

let last: CheckedTerms | undefined;

export function checkTerms(input: TargetTerms): CheckedTerms {
  // Most targets get the terms of the one before: comparing costs 50 ns, parsing some microseconds, and `add` is called 10,000 times in a row.
  if (last !== undefined && same(last.input, input)) return last;
  const checked = { block: isLimit(input) ? limitBlock(input) : cycleBlock(input), input: { ...input } };
  last = checked;
  return checked;
}

/** `terms` with `changes`. */
export function checkTermsUpdate(terms: CheckedTerms, changes: TermsChanges): CheckedTerms {
  if (typeof changes !== "object" || changes === null) check(cycleTerms, changes, "the change");
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const ofLimit = Object.keys(given).some((key) => key in limitEntries);
  const ofCycle = Object.keys(given).some((key) => !(key in limitEntries));
  if (ofLimit && ofCycle) throw new HobbleError("EINVAL", "the change must be of a cycle or of a limit, not of both");
  const keeps = ofLimit === isLimit(terms.input) || Object.keys(given).length === 0;
  return checkTerms({ ...(keeps ? terms.input : {}), ...given } as TargetTerms);
}

/** Share of the time that a cycle lets its target run; undefined without a cycle. */
export function cycleDuty(terms: TargetTerms): number | undefined {
  const { block } = checkTerms(terms);
  const run = block[TermsField.runNs] ?? 0;
  return run > 0 ? run / (run + (block[TermsField.stopNs] ?? 0)) : undefined;
}

function isLimit(input: TargetTerms): input is LimitOptions {
  return typeof input === "object" && input !== null && "limit" in input;
}

function cycleBlock(input: CycleOptions): Float64Array {
  const { run, stop, phase } = check(cycleTerms, input, "the cycle");
  const block = new Float64Array(TERMS_FIELDS);
  block[TermsField.runNs] = run;
  block[TermsField.stopNs] = stop;
  block[TermsField.phaseMode] = typeof phase === "number" ? PhaseMode.offset : PhaseMode[phase];
  block[TermsField.phaseNs] = typeof phase === "number" ? phase : 0;
  return block;
}

function limitBlock(input: LimitOptions): Float64Array {
  const { limit, burst, minRun } = check(limitTerms, input, "the limit");
  const block = new Float64Array(TERMS_FIELDS);
  block[TermsField.limit] = limit;
  block[TermsField.burstNs] = burst ?? defaultBurstNs;
  block[TermsField.minRunNs] = minRun ?? defaultMinRunNs;
  return block;
}

function same(a: TargetTerms, b: TargetTerms | null | undefined): boolean {
  const [left, right] = [Object.entries(a), Object.entries(b ?? {})];
  return left.length === right.length && left.every(([key, value]) => (b as unknown as Record<string, unknown>)[key] === value);
}
