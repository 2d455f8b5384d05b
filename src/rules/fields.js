/**
 * The kinds of values that a configuration is made of. Each is a valibot schema whose message completes the sentence "NAME must be …", and knows its
 * JSON Schema, from which editors complete and check (scripts/config-schema.mjs).
 */
import * as v from "valibot";
import { cpuLimitMust, cpus, twoReadings } from "../cpu-limit.js";
import { compilePattern } from "./pattern.js";
import { bytes, longDurationNs, percent, range } from "./units.js";
/** For the fields whose values are parsed, which a generator cannot look into. */
export const publishedSchemas = new WeakMap();
/** A value that `parse` understands; it gives undefined, or throws an Error with a sharper message, for what it does not. */
function parsed(must, json, parse) {
  // Its generator takes a pipe apart: it meets the first part, and not the whole.
  const given = v.unknown();
  publishedSchemas.set(given, json);
  return v.pipe(
    given,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        const value = parse(dataset.value);
        if (value !== undefined) return value;
        addIssue({ message: must });
      } catch (error) {
        addIssue({ message: error.message });
      }
      return NEVER;
    }),
  );
}
const number = { type: "number", exclusiveMinimum: 0 };
const percentText = { type: "string", pattern: "^\\d+(\\.\\d+)? ?%$" };
const durationText = { type: "string", pattern: "^(\\d+(\\.\\d+)?|\\.\\d+)(ns|us|µs|μs|ms|s|m|h|d|w)$" };
/** Nanoseconds. */
export function duration(minNs, maxNs, must) {
  return parsed(must, durationText, (value) => {
    if (typeof value === "number") throw new Error(`${must} (a duration needs a unit)`);
    const ns = longDurationNs(value);
    return ns !== undefined && ns >= minNs && ns <= maxNs ? ns : undefined;
  });
}
const dayNs = 86_400e9;
export const window = duration(100e3, 3600e9, 'a duration from 100 us to 1 h, such as "10ms"');
export const anyDuration = duration(0, 1000 * dayNs, 'a duration, such as "30s", "10m" or "1d"');
export const someDuration = duration(1e6, 1000 * dayNs, 'a duration above zero, such as "30s", "10m" or "1d"');
export const scanInterval = duration(100e6, 3600e9, 'a duration from 100 ms to 1 h, such as "2s"');
const cpusJson = { anyOf: [number, { type: "string", pattern: "^(\\d+(\\.\\d+)?|\\.\\d+)(%|cpus?)$" }] };
/** CPUs. */
export const limit = parsed(`a limit: ${cpuLimitMust}`, cpusJson, cpuAmount);
export const cpuShare = parsed('a share of CPU time: a number of CPUs such as 0.8, or a string such as "80%"', cpusJson, cpuAmount);
function cpuAmount(value) {
  const unclear = twoReadings(value);
  if (unclear !== undefined) throw new Error(unclear);
  return cpus(value);
}
export const pressure = parsed('a percentage from 0 to 100, such as "10%"', percentText, (value) => {
  const share = percent(value);
  return share !== undefined && share <= 1 ? share : undefined;
});
export const size = parsed(
  'an amount of memory such as "500MB" or "2GiB"',
  { type: "string", pattern: "^\\d+(\\.\\d+)? ?(B|[kMGT]B|[KMGT]iB)$" },
  bytes,
);
export function idRange(what, example) {
  const must = `${what}, or a range of them such as "${example}"`;
  const json = {
    anyOf: [
      { type: "integer", minimum: 0 },
      { type: "string", pattern: "^\\d+-\\d*$" },
    ],
  };
  return parsed(must, { anyOf: [...json.anyOf, { type: "array", minItems: 1, items: json }] }, (value) => {
    const ranges = (Array.isArray(value) ? value : [value]).map((one) => range(one, 0xffff_fffe));
    return ranges.length > 0 && ranges.every((one) => one !== undefined) ? ranges : undefined;
  });
}
/** One text or a list of them, none empty. */
export function texts(must) {
  const json = { type: "string", minLength: 1 };
  return parsed(must, { anyOf: [json, { type: "array", minItems: 1, items: json }] }, (value) => {
    const list = Array.isArray(value) ? value : [value];
    const good = list.length > 0 && list.every((one) => typeof one === "string" && one !== "");
    return good ? list : undefined;
  });
}
/** One regular expression or a list of them. */
export function patterns(must) {
  const json = { type: "string", format: "regex", minLength: 1 };
  return parsed(must, { anyOf: [json, { type: "array", minItems: 1, items: json }] }, (value) => {
    const list = Array.isArray(value) ? value : [value];
    if (list.length === 0 || !list.every((one) => typeof one === "string" && one !== "")) return undefined;
    return list.map(compilePattern);
  });
}
const absoluteMust = 'an absolute path, such as "/run/hobble"';
export const absolutePath = v.pipe(v.string(absoluteMust), v.regex(/^\/[^\0]*$/, absoluteMust));
const nameMust = 'a name of at most 64 letters, digits, ".", "_" and "-" that begins with a letter or digit';
export const name = v.pipe(v.string(nameMust), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, nameMust));
export const flag = v.boolean("true or false");
export function whole(min, max, must) {
  return v.pipe(v.number(must), v.integer(must), v.minValue(min, must), v.maxValue(max, must));
}
export function choice(...options) {
  return v.picklist(options, `one of ${options.map((option) => `"${option}"`).join(", ")}`);
}
