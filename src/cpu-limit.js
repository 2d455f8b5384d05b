/** Limits of CPU time as people write them. */
import { inspect } from "node:util";
import { HobbleError } from "./errors.js";

const least = 1e-4;
const most = 4096;
const pattern = /^(\d+(?:\.\d+)?|\.\d+)(%|cpus?)$/;
const bare = /^(\d+(?:\.\d+)?|\.\d+)$/;
export const cpuLimitMust = 'a number of CPUs from 0.0001 to 4096, or a string such as "5%", "250%" or "0.05cpus"';
/** In CPUs; undefined for what is none, or is out of range. */
export function cpus(value) {
  const amount = typeof value === "number" ? value : typeof value === "string" ? textCpus(value) : Number.NaN;
  return amount >= least && amount <= most ? amount : undefined;
}
function textCpus(text) {
  const [, digits, unit] = pattern.exec(text) ?? [];
  return unit === "%" ? Number(digits) / 100 : Number(digits);
}
/** What to say of a string without a unit, which could mean either; undefined for anything else. */
export function twoReadings(value) {
  if (typeof value !== "string" || !bare.test(value)) return undefined;
  return `a limit with a unit: "${value}%" for ${value} % of one CPU, or "${value}cpus" for ${value} whole CPUs`;
}
/**
 * A limit in CPUs.
 *
 * @throws HobbleError `EINVAL` for anything but a limit from 0.0001 to 4096 CPUs; a string needs a unit.
 */
export function parseCpuLimit(limit) {
  const amount = cpus(limit);
  if (amount === undefined) {
    throw new HobbleError("EINVAL", `a CPU limit must be ${twoReadings(limit) ?? cpuLimitMust}, not ${inspect(limit)}`);
  }
  return amount;
}
