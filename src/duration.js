/** Lengths of time as people write them. */
import { inspect } from "node:util";
import { HobbleError } from "./errors.js";

const unitNs = {
  ns: 1,
  us: 1e3,
  µs: 1e3, // U+00B5, the micro sign
  μs: 1e3, // U+03BC, the Greek letter
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const pattern = /^(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)$/;
/** Nanoseconds, rounded to whole ones; undefined for what is not a duration from 0 to 104 days (beyond, a number cannot hold every nanosecond). */
export function durationNs(value) {
  const ns = typeof value === "number" ? value * 1e6 : typeof value === "string" ? textNs(value) : Number.NaN;
  return ns >= 0 && ns <= Number.MAX_SAFE_INTEGER ? Math.round(ns) : undefined;
}
function textNs(text) {
  const [, digits, unit] = pattern.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return Number.NaN;
  return Number(digits) * (unitNs[unit] ?? Number.NaN);
}
/**
 * A duration in nanoseconds.
 *
 * @throws HobbleError `EINVAL` for anything but a duration from 0 to 104 days; a string needs a unit.
 */
export function parseDuration(duration) {
  const ns = durationNs(duration);
  if (ns === undefined) {
    throw new HobbleError(
      "EINVAL",
      `a duration must be a number of milliseconds or a string such as "500us", "10ms" or "1.5s", not ${inspect(duration)}`,
    );
  }
  return ns;
}
