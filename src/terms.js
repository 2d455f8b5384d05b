/** On what terms a target runs: a cycle, a limit of CPU time, a share of a pool. Checked here, and put into the numbers that the native side takes. */
import * as v from "valibot";
import { check, cpuLimit, durationIn, oneOf } from "./check.js";
import { HobbleError } from "./errors.js";
import { PhaseMode, TERMS_FIELDS, TermsField } from "./native.js";

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
const noPools = () => {
  throw new HobbleError("EINVAL", "there is no pool here");
};
let last;
export function checkTerms(input, findPool = noPools) {
  // Most targets get the terms of the one before: comparing costs 50 ns, parsing some microseconds, and `add` is called 10,000 times in a row.
  if (last !== undefined && same(last.input, input)) return last;
  const checked = { input: { ...input }, block: blockOf(input, findPool) };
  // A pool's name may mean another pool next time.
  last = has(input, "pool") ? undefined : checked;
  return checked;
}
/** `terms` with `changes`. */
export function checkTermsUpdate(terms, changes, findPool) {
  if (typeof changes !== "object" || changes === null) throw new HobbleError("EINVAL", "the change must be an object");
  const merged = { ...terms.input };
  for (const [key, value] of Object.entries(changes)) if (value !== undefined) merged[key] = value;
  // What belongs to something that was taken away goes with it.
  for (const [key, more] of [
    ["run", ["stop", "phase", "spareIdle"]],
    ["limit", ["burst", "minRun"]],
    ["pool", ["weight"]],
  ]) {
    if (merged[key] === null) for (const gone of [key, ...more]) delete merged[gone];
  }
  return checkTerms(merged, findPool);
}
/** Share of the time that a cycle lets its target run; undefined without a cycle. */
export function cycleDuty({ block }) {
  const run = block[TermsField.runNs] ?? 0;
  return run > 0 ? run / (run + (block[TermsField.stopNs] ?? 0)) : undefined;
}
function blockOf(input, findPool) {
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
function has(input, key) {
  return typeof input === "object" && input !== null && input[key] !== undefined;
}
function same(a, b) {
  const [left, right] = [Object.entries(a), Object.entries(b ?? {})];
  return left.length === right.length && left.every(([key, value]) => b[key] === value);
}
