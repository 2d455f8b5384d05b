/** Turns what the schema library has to say into one HobbleError. valibot: 3 MB in each process that embeds hobble; zod takes 14 MB and 90 ms at start. */
import { inspect } from "node:util";
import * as v from "valibot";
import { cpuLimitMust, cpus, twoReadings } from "./cpu-limit.js";
import { durationNs } from "./duration.js";
import { HobbleError } from "./errors.js";
/**
 * What `schema` makes of `input`. The messages of a schema complete the sentence "NAME must be …"; NAME is the property that is wrong, or `name`
 * where the input as a whole is.
 *
 * @throws HobbleError `EINVAL`: "NAME must be …, not VALUE", or that there is no such option.
 */
export function check(schema, input, name) {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = issue.path?.[0];
  if (place === undefined) throw new HobbleError("EINVAL", `${name} must be ${issue.message}, not ${show(input)}`);
  const property = String(place.key);
  if (issue.expected === "never") throw new HobbleError("EINVAL", `${name}: there is no option "${property}"`);
  // valibot reports a property that is missing as a fault of the object; its own schema knows what it must be.
  const missing = "entries" in schema && !(property in input) ? schema.entries[property] : undefined;
  if (missing !== undefined) check(missing, undefined, property);
  throw new HobbleError("EINVAL", `${property} must be ${issue.message}, not ${show(place.value)}`);
}
export function wholeNumber(min, max, must) {
  return v.pipe(v.number(must), v.safeInteger(must), v.minValue(min, must), v.maxValue(max, must));
}
export function oneOf(...options) {
  return v.picklist(options, `one of ${options.join(", ")}`);
}
/** In nanoseconds. */
export function durationIn(minNs, maxNs, must) {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const ns = durationNs(dataset.value);
      if (ns !== undefined && ns >= minNs && ns <= maxNs) return ns;
      addIssue({ message: must });
      return NEVER;
    }),
  );
}
/** In CPUs. */
export function cpuLimit() {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const amount = cpus(dataset.value);
      if (amount !== undefined) return amount;
      addIssue({ message: twoReadings(dataset.value) ?? cpuLimitMust });
      return NEVER;
    }),
  );
}
/** One line, and short enough for a message. */
function show(value) {
  return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 5, maxStringLength: 60 });
}
