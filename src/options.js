/** What callers may ask for, its ranges, and how it reads on the native side. All input is checked here, before anything native is called. */
import * as v from "valibot";
import { check, durationIn, oneOf, wholeNumber } from "./check.js";
import { GuardianMode, Precision, RealtimeMode, TargetKind } from "./native.js";

/** What cpu_set_t holds. */
const maxCpu = 1023;
/** PID_MAX_LIMIT of 64-bit kernels. */
const maxPid = 2 ** 22;
const concurrencyMust = '"auto", "none" or a whole number from 1';
const shareMust = "a share above 0 and at most 1";
const executableMust = "the absolute path of an executable";
const runtimeDirMust = "an absolute path";
const hobblerOptions = v.strictObject(
  {
    realtime: v.optional(oneOf("auto", "require", "off"), "auto"),
    priority: v.optional(wholeNumber(1, 98, "a whole number from 1 to 98"), 50),
    cpu: v.optional(wholeNumber(0, maxCpu, "the number of a CPU")),
    precision: v.optional(oneOf("tight", "balanced", "economy"), "balanced"),
    concurrency: v.optional(v.union([oneOf("auto", "none"), wholeNumber(1, 1e6, concurrencyMust)], concurrencyMust), "auto"),
    maxShare: v.optional(v.pipe(v.number(shareMust), v.gtValue(0, shareMust), v.maxValue(1, shareMust)), 0.8),
    guardian: v.optional(oneOf("auto", "require", "off"), "auto"),
    foreignStops: v.optional(oneOf("respect", "ignore"), "respect"),
    protect: v.optional(v.array(v.pipe(v.string(executableMust), v.startsWith("/", executableMust)), "a list of paths"), []),
    protectUsual: v.optional(v.boolean("true or false"), true),
    runtimeDir: v.optional(v.pipe(v.string(runtimeDirMust), v.regex(/^\/[^\0]*$/, runtimeDirMust))),
    for: v.optional(durationIn(1e6, Number.MAX_SAFE_INTEGER, 'a duration of at least 1 ms, such as "5s"')),
    signal: v.optional(v.instance(AbortSignal, "an AbortSignal")),
  },
  "an object",
);
export function checkHobblerOptions(options) {
  const checked = check(hobblerOptions, options, "the options");
  const { concurrency } = checked;
  const native = {
    realtime: RealtimeMode[checked.realtime],
    priority: checked.priority,
    cpu: checked.cpu ?? -1,
    precision: Precision[checked.precision],
    concurrency: concurrency === "auto" ? 0 : concurrency === "none" ? -1 : concurrency,
    maxShare: checked.maxShare,
    forNs: checked.for ?? 0,
    forceKill: false,
    guardian: GuardianMode[checked.guardian],
    protectedPrograms: [...checked.protect],
    protectUsual: checked.protectUsual,
    respectForeignStops: checked.foreignStops === "respect",
    runtimeDirectory: checked.runtimeDir ?? "",
  };
  return { native, signal: checked.signal };
}
const pid = wholeNumber(1, maxPid, `a PID (a whole number from 1 to ${maxPid})`);
const seen = {
  startTime: v.optional(wholeNumber(0, Number.MAX_SAFE_INTEGER, "clock ticks after boot")),
  inode: v.optional(v.pipe(v.bigint("the inode of a pidfd (a bigint)"), v.minValue(0n, "the inode of a pidfd (a bigint)"))),
};
const processSelector = v.object({ pid, ...seen });
const groupSelector = v.object({ group: pid, ...seen });
const treeSelector = v.object({ tree: pid, adoptOrphans: v.optional(v.boolean("true or false")), ...seen });
export function checkSelector(selector) {
  if (typeof selector !== "object" || selector === null) return selection(TargetKind.process, check(pid, selector, "the target"), {});
  if ("tree" in selector) {
    const checked = check(treeSelector, selector, "the target");
    return selection(TargetKind.tree, checked.tree, checked);
  }
  if ("group" in selector) {
    const checked = check(groupSelector, selector, "the target");
    return selection(TargetKind.group, checked.group, checked);
  }
  const checked = check(processSelector, selector, "the target");
  return selection(TargetKind.process, checked.pid, checked);
}
function selection(kind, pid, { startTime = -1, inode = 0n, adoptOrphans = false }) {
  return { kind, pid, startTime, inode, adoptOrphans };
}
