/** What callers may ask for, its ranges, and how it reads on the native side. All input is checked here, before anything native is called. */
import { check, checkObject, durationIn, either, isWithin, oneOf, optional, rule, wholeNumber } from "./check.js";
import type { Duration } from "./duration.js";
import { type NativeEngineOptions, PhaseMode, Precision, RealtimeMode, TargetKind } from "./native.js";

export interface HobblerOptions {
  /**
   * SCHED_FIFO for the timer thread: "auto" takes it where the host allows, "require" makes the constructor throw `EPERM` where it does not,
   * "off" does not try. Default "auto".
   */
  realtime?: "auto" | "require" | "off" | undefined;
  /** SCHED_FIFO priority, 1 to 98. Default 50. */
  priority?: number | undefined;
  /** Pins the timer thread to this CPU. Default: not pinned. */
  cpu?: number | undefined;
  /**
   * What punctuality may cost. "tight" wakes early by a margin that it learns and spins the rest; "balanced" spins at most 50 µs for each
   * wake-up; "economy" never spins and shares wake-ups among more targets. Default "balanced".
   */
  precision?: "tight" | "balanced" | "economy" | undefined;
  /**
   * Most targets that run at once; the others wait for their turn, which is counted as deferred windows. "auto": no cap under SCHED_FIFO, else
   * one less than there are CPUs, at least 1. "none": no cap. Default "auto".
   */
  concurrency?: "auto" | "none" | number | undefined;
  /** Share of one CPU that the engine may use itself, above 0 to 1. Beyond it periods are lengthened, then targets are refused. Default 0.8. */
  maxShare?: number | undefined;
  /** After this time everything is resumed and released, even while the event loop is starved: at least 1 ms. Default: never. */
  for?: Duration | undefined;
  /** Aborting it closes the hobbler. */
  signal?: AbortSignal | undefined;
}

/** What to hobble. Properties beside those named here are ignored, so that what `identify` returns can be given as it is. */
export type TargetSelector =
  | number
  | ({ pid: number } & SeenIdentity)
  | ({ group: number } & SeenIdentity)
  | ({
      tree: number;
      /** Processes that the kernel hands to us as child subreaper belong to the tree too, and are reaped by us. Default false. */
      adoptOrphans?: boolean | undefined;
    } & SeenIdentity);

/** The process as it was seen when it was chosen. If it is another process by now, it is refused with `ERR_IDENTITY`. */
export interface SeenIdentity {
  /** Clock ticks after boot. */
  startTime?: number | undefined;
  /** Inode of a pidfd; 0n counts as not given. */
  inode?: bigint | undefined;
}

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

/** What cpu_set_t holds. */
const maxCpu = 1023;
/** PID_MAX_LIMIT of 64-bit kernels. */
const maxPid = 2 ** 22;
const minWindowNs = 100e3;
const maxWindowNs = 3600e9;

const concurrency = either(oneOf("auto", "none"), wholeNumber(1, 1e6, ""), '"auto", "none" or a whole number from 1');
const share = rule("a share above 0 and at most 1", (value) => isWithin(value, Number.MIN_VALUE, 1));
const abortSignal = rule("an AbortSignal", (value): value is AbortSignal | null => value instanceof AbortSignal);
const hobblerRules = {
  realtime: optional(oneOf("auto", "require", "off"), "auto"),
  priority: optional(wholeNumber(1, 98, "a whole number from 1 to 98"), 50),
  cpu: optional(wholeNumber(0, maxCpu, "the number of a CPU"), -1),
  precision: optional(oneOf("tight", "balanced", "economy"), "balanced"),
  concurrency: optional(concurrency, "auto"),
  maxShare: optional(share, 0.8),
  for: optional(durationIn(1e6, Number.MAX_SAFE_INTEGER, 'a duration of at least 1 ms, such as "5s"'), 0),
  signal: optional(abortSignal, null),
};

export function checkHobblerOptions(options: HobblerOptions): { native: NativeEngineOptions; signal: AbortSignal | null } {
  const checked = checkObject(hobblerRules, options, "the options");
  const { concurrency } = checked;
  const native = {
    realtime: RealtimeMode[checked.realtime],
    priority: checked.priority,
    cpu: checked.cpu,
    precision: Precision[checked.precision],
    concurrency: concurrency === "auto" ? 0 : concurrency === "none" ? -1 : concurrency,
    maxShare: checked.maxShare,
    forNs: checked.for,
    forceKill: false,
  };
  return { native, signal: checked.signal };
}

const pid = wholeNumber(1, maxPid, `a PID (a whole number from 1 to ${maxPid})`);
const inode = rule("the inode of a pidfd (a bigint)", (value): value is bigint => typeof value === "bigint" && value >= 0n);
const yesOrNo = rule("true or false", (value) => typeof value === "boolean");
const identityRules = {
  startTime: optional(wholeNumber(0, Number.MAX_SAFE_INTEGER, "clock ticks after boot"), -1),
  inode: optional(inode, 0n),
};
const processRules = { pid, ...identityRules };
const groupRules = { group: pid, ...identityRules };
const treeRules = { tree: pid, adoptOrphans: optional(yesOrNo, false), ...identityRules };

export interface Selection {
  kind: number;
  pid: number;
  startTime: number;
  inode: bigint;
  adoptOrphans: boolean;
}

export function checkSelector(selector: TargetSelector): Selection {
  if (typeof selector !== "object" || selector === null) {
    return { kind: TargetKind.process, pid: check(pid, selector, "the target"), startTime: -1, inode: 0n, adoptOrphans: false };
  }
  if ("tree" in selector) {
    const { tree, ...seen } = checkObject(treeRules, selector, "the target", "ignored");
    return { kind: TargetKind.tree, pid: tree, ...seen };
  }
  if ("group" in selector) {
    const { group, ...seen } = checkObject(groupRules, selector, "the target", "ignored");
    return { kind: TargetKind.group, pid: group, ...seen, adoptOrphans: false };
  }
  return { kind: TargetKind.process, ...checkObject(processRules, selector, "the target", "ignored"), adoptOrphans: false };
}

const windowLength = durationIn(minWindowNs, maxWindowNs, 'a duration from 100 us to 1 h, such as "10ms"');
const phase = either(oneOf("spread", "aligned"), durationIn(0, 2 * maxWindowNs, ""), '"spread", "aligned" or a duration from 0 to 2 h');
const cycleRules = { run: windowLength, stop: windowLength, phase: optional(phase, "spread") };

export interface CheckedCycle {
  readonly runNs: number;
  readonly stopNs: number;
  readonly phaseMode: number;
  readonly phaseNs: number;
}

export function checkCycle(input: CycleOptions): CheckedCycle {
  const { run, stop, phase } = checkObject(cycleRules, input, "the cycle");
  return { runNs: run, stopNs: stop, ...nativePhase(phase) };
}

/** `cycle` with `changes`. */
export function checkCycleUpdate(cycle: CheckedCycle, changes: Partial<CycleOptions>): CheckedCycle {
  const rules = {
    run: optional(windowLength, cycle.runNs),
    stop: optional(windowLength, cycle.stopNs),
    phase: optional<PhaseChange>(phase, "unchanged"),
  };
  const { run, stop, phase: changed } = checkObject(rules, changes, "the change");
  return { ...cycle, ...(changed === "unchanged" ? {} : nativePhase(changed)), runNs: run, stopNs: stop };
}

type CheckedPhase = "spread" | "aligned" | number;
type PhaseChange = CheckedPhase | "unchanged";

function nativePhase(phase: CheckedPhase): { phaseMode: number; phaseNs: number } {
  return typeof phase === "number" ? { phaseMode: PhaseMode.offset, phaseNs: phase } : { phaseMode: PhaseMode[phase], phaseNs: 0 };
}
