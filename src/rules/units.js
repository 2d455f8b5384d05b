/** Amounts as people write them in a configuration. Each gives undefined for what is none. */
import { durationNs } from "../duration.js";

const daysNs = { d: 86_400e9, w: 7 * 86_400e9 };
/** Durations of the library, and days and weeks. Nanoseconds. A bare number is refused: in a file nobody knows its unit. */
export function longDurationNs(value) {
  if (typeof value !== "string") return undefined;
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([dw])$/.exec(value) ?? [];
  return digits !== undefined && unit !== undefined ? Number(digits) * (daysNs[unit] ?? Number.NaN) : durationNs(value);
}
/** "10%" as 0.1. */
export function percent(value) {
  if (typeof value !== "string") return undefined;
  const [, digits] = /^(\d+(?:\.\d+)?) ?%$/.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits) / 100;
}
const sizes = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
/** "500MB", "2GiB". Bytes. */
export function bytes(value) {
  if (typeof value !== "string") return undefined;
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([kMGTKi]*B)$/.exec(value) ?? [];
  const size = unit === undefined ? undefined : sizes[unit];
  return size === undefined ? undefined : Number(digits) * size;
}
/** 1000, "1000-1999", "1000-" */
export function range(value, most) {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 && value <= most ? { from: value, to: value } : undefined;
  if (typeof value !== "string") return undefined;
  const [, first, last] = /^(\d{1,10})-(\d{0,10})$/.exec(value) ?? [];
  if (first === undefined) return undefined;
  const from = Number(first);
  const to = last === "" || last === undefined ? most : Number(last);
  return from <= to && to <= most ? { from, to } : undefined;
}
/** As messages write them. */
export function formatCpus(amount) {
  return `${Number((amount * 100).toPrecision(3))} %`;
}
/** "30 s", "10 min", "3 h", "1 d" */
export function formatLong(ns) {
  const seconds = ns / 1e9;
  if (seconds < 1) return `${Number((ns / 1e6).toPrecision(3))} ms`;
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 7200) return `${Number((seconds / 60).toPrecision(3))} min`;
  if (seconds < 172_800) return `${Number((seconds / 3600).toPrecision(3))} h`;
  return `${Number((seconds / 86_400).toPrecision(3))} d`;
}
