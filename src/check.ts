/**
 * Rules for what callers may give, and the one error that says what is wrong. By hand and not with a schema library, because the one that was
 * tried costs each process that embeds hobble 13 MB and 70 ms at start.
 */
import { inspect } from "node:util";
import { durationNs } from "./duration.js";
import { HobbleError } from "./errors.js";

export interface Rule<T> {
  /** Completes "it must be …". */
  readonly must: string;
  /** The value as the library goes on with it; undefined = refused. */
  read(value: unknown): T | undefined;
}

export type Rules<T> = { readonly [Key in keyof T]: Rule<T[Key]> };

/** @throws HobbleError `EINVAL`: "NAME must be …, not VALUE". */
export function check<T>(rule: Rule<T>, value: unknown, name: string): T {
  const read = rule.read(value);
  if (read === undefined) throw new HobbleError("EINVAL", `${name} must be ${rule.must}, not ${show(value)}`);
  return read;
}

/**
 * Each property by its rule. Others are refused, or with `others` ignored.
 *
 * @throws HobbleError `EINVAL` that names the first wrong property, its value and what it must be.
 */
export function checkObject<T>(rules: Rules<T>, input: unknown, name: string, others?: "ignored"): T {
  if (typeof input !== "object" || input === null) throw new HobbleError("EINVAL", `${name} must be an object, not ${show(input)}`);
  const unknown = others === "ignored" ? undefined : Object.keys(input).find((key) => !Object.hasOwn(rules, key));
  if (unknown !== undefined) throw new HobbleError("EINVAL", `${name}: there is no option "${unknown}"`);
  const checked: Partial<T> = {};
  for (const key in rules) checked[key] = check(rules[key], (input as { [Key in keyof T]?: unknown })[key], key);
  return checked as T;
}

export function rule<T>(must: string, accepts: (value: unknown) => value is T): Rule<T> {
  return { must, read: (value) => (accepts(value) ? value : undefined) };
}

/** For a property that may be left out. */
export function optional<T>(rule: Rule<T>, otherwise: T): Rule<T> {
  return { must: rule.must, read: (value) => (value === undefined ? otherwise : rule.read(value)) };
}

export function either<A, B>(first: Rule<A>, second: Rule<B>, must: string): Rule<A | B> {
  return { must, read: (value) => first.read(value) ?? second.read(value) };
}

export function oneOf<T extends string>(...values: readonly T[]): Rule<T> {
  return { must: `one of ${values.join(", ")}`, read: (value) => values.find((known) => known === value) };
}

export function wholeNumber(min: number, max: number, must: string): Rule<number> {
  return rule(must, (value): value is number => Number.isSafeInteger(value) && isWithin(value, min, max));
}

/** In nanoseconds. */
export function durationIn(minNs: number, maxNs: number, must: string): Rule<number> {
  return {
    must,
    read(value) {
      const ns = durationNs(value);
      return isWithin(ns, minNs, maxNs) ? ns : undefined;
    },
  };
}

export function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

/** One line, and short enough for a message. */
function show(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 5, maxStringLength: 60 });
}
