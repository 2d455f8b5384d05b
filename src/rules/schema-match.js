/** The conditions of a rule. */
import * as v from "valibot";
import { absolutePath, anyDuration, cpuShare, duration, idRange, patterns, size, someDuration, texts, whole } from "./fields.js";

const commands = patterns("a regular expression, or a list of them");
const nested = v.lazy(() => match);
const must = 'a table of conditions, such as { user = "student*" }';
const listMust = 'a list of tables of conditions, such as [{ user = "a" }, { user = "b" }]';
const conditions = {
  user: v.optional(texts('the name of a user, or a list of names; "*" stands for any text')),
  group: v.optional(texts('the name of a group, or a list of names; "*" stands for any text')),
  uid: v.optional(idRange("a user's number", "1000-1999")),
  executable: v.optional(texts('the path of an executable, or a list of paths; "*" stands for any text')),
  name: v.optional(texts('the name of a program, or a list of names; "*" stands for any text')),
  command: v.optional(commands),
  cgroup: v.optional(texts('the path of a cgroup, or a list of paths; "*" stands for any text')),
  container: v.optional(texts('the id or name of a container, or a list of them; "*" stands for any text')),
  parent: v.optional(texts("the name of a program, or the path of an executable, or a list of them")),
  ancestor: v.optional(texts("the name of a program, or the path of an executable, or a list of them")),
  session: v.optional(idRange("the number of a session", "1000-1999")),
  cgroupProcs: v.optional(absolutePath),
  pidFile: v.optional(absolutePath),
  olderThan: v.optional(anyDuration),
  youngerThan: v.optional(someDuration),
  niceAbove: v.optional(whole(-20, 19, "a nice value, from -20 to 19")),
  niceBelow: v.optional(whole(-20, 19, "a nice value, from -20 to 19")),
  threadsAbove: v.optional(whole(0, 4_194_304, "a number of threads")),
  memoryAbove: v.optional(size),
  cpuAbove: v.optional(cpuShare),
  cpuOver: v.optional(duration(1e9, 3600e9, 'a duration from 1 s to 1 h, such as "10s"')),
  cpuSecondsAbove: v.optional(v.pipe(v.number("CPU seconds, a number above 0"), v.gtValue(0, "CPU seconds, a number above 0"))),
  any: v.optional(v.pipe(v.array(nested, listMust), v.minLength(1, listMust))),
  all: v.optional(v.pipe(v.array(nested, listMust), v.minLength(1, listMust))),
  not: v.optional(nested),
};
const emptyMust = "a table with at least one condition: an empty one would match every process";
const cpuOverMust = "without cpuOver, or with cpuAbove: cpuOver says over what time cpuAbove looks";
const cpuOverFits = ({ cpuOver, cpuAbove }) => cpuOver === undefined || cpuAbove !== undefined;
const match = v.pipe(
  v.strictObject(conditions, must),
  v.check((given) => Object.keys(given).length > 0, emptyMust),
  v.check(cpuOverFits, cpuOverMust),
);
/** `for` counts for a rule as a whole. */
export const ruleMatch = v.pipe(
  v.strictObject({ ...conditions, for: v.optional(anyDuration) }, must),
  v.check((given) => Object.keys(given).some((key) => key !== "for"), "a table with at least one condition beside for"),
  v.check(cpuOverFits, cpuOverMust),
);
export const matchKeys = [...Object.keys(conditions), "for"];
