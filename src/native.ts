/**
 * The native side of the engine, declared: every function and class of its addon. Nothing else in the library touches it. Times are nanoseconds as
 * JavaScript numbers (exact up to 104 days).
 */
import { callNative } from "./errors.js";
import { loadAddon, packageRoot } from "./native-addon.js";

/** What a target is made of. The numbers are those of `TargetKind` in native/engine/target.h. */
export const TargetKind = { process: 0, group: 1, tree: 2, cgroup: 3 } as const;
/** How it is stopped. The numbers are those of `Via` in native/engine/membership.h. */
export const Via = { auto: 0, signal: 1, freeze: 2 } as const;
/** What is done about members that run while they should stand still. The numbers are those of `OnEvasion` in native/engine/membership.h. */
export const OnEvasion = { auto: 0, restop: 1, freeze: 2, report: 3 } as const;
/** How a phase is chosen. The numbers are those of `PhaseMode` in native/engine/schedule.h. */
export const PhaseMode = { spread: 0, aligned: 1, offset: 2 } as const;
/** The numbers are those of `RealtimeMode` in native/engine/realtime.h. */
export const RealtimeMode = { auto: 0, require: 1, off: 2 } as const;
/** The numbers are those of `Precision` in native/engine/lane.h. */
export const Precision = { tight: 0, balanced: 1, economy: 2 } as const;

/** The numbers are those of `GuardMode` in native/engine/guard.h. */
export const GuardianMode = { auto: 0, require: 1, off: 2 } as const;

export interface NativeEngineOptions {
  realtime: number;
  /** SCHED_FIFO priority of the timer thread, 1..98. */
  priority: number;
  /** CPU to pin the timer thread to; -1 for none. */
  cpu: number;
  precision: number;
  /** Most targets that run at once: 0 = automatic (no cap under SCHED_FIFO), -1 = no cap, n = exactly n. */
  concurrency: number;
  /** Share of one CPU that the engine may use itself, 0..1. */
  maxShare: number;
  /** Resume and release everything after this time; 0 = never. */
  forNs: number;
  /** For tests: act as on a kernel without pidfds. */
  forceKill: boolean;
  guardian: number;
  /** Paths of executables that are never stopped, beside the usual ones (native/engine/protected_programs.cc). */
  protectedPrograms: string[];
  protectUsual: boolean;
  processEvents: boolean;
  /** Of one target. */
  maxMembers: number;
  /** Leave alone what somebody else stopped. */
  respectForeignStops: boolean;
  /** Where the table of leases is made; "" = the usual place. */
  runtimeDirectory: string;
}

/** What happened, in the order it happened; drained by JavaScript when the engine calls `onEvents`. */
export interface NativeEvent {
  type:
    | "exit"
    | "error"
    | "released"
    | "overload"
    | "finished"
    | "closed"
    | "guardian"
    | "held"
    | "unheld"
    | "unfrozen"
    | "crowded"
    | "evasion";
  /** The target, 0 for the engine itself. */
  id: number;
  pid: number;
  /** For "error": the code of the HobbleError. For "guardian": why there is none. For "held": "signal" | "tracer". For "overload": "concurrency" | "cpu". For "released": "released" | "finished" | "closed". */
  code: string;
  message: string;
  /** For "overload": periods are lengthened by this factor (1 = not at all). */
  stretch: number;
  /** For "evasion": CPU time spent while it should have stood still, ns. For "crowded": members. For "overload" of a target: the revision of its terms that was refused. */
  amount: number;
  /** For "evasion": that time as a share of one CPU. */
  share: number;
}

/** Quantiles of a histogram, in nanoseconds, of absolute values. */
export interface NativeQuantiles {
  count: number;
  mean: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export interface NativeEngineStats {
  /** "fifo" | "slice" (ordinary, with a short EEVDF slice) | "other" */
  scheduler: string;
  /** Priority obtained under SCHED_FIFO, else 0. */
  priority: number;
  /** EEVDF slice obtained, ns; 0 = the kernel's default. */
  sliceNs: number;
  lockedMemory: boolean;
  /** CPU pinned to, -1 = none. */
  cpu: number;
  /** Why SCHED_FIFO was not obtained, "" if it was. */
  realtimeError: string;
  /** "pidfd" | "kill" */
  signalMethod: string;
  /** Cap on targets running at once; 0 = none. */
  concurrency: number;
  /** PID of the guardian, 0 while there is none. */
  guardian: number;
  /** Looks at /proc/PID/status for stops that are not ours, since the engine started. */
  foreignLooks: number;
  /** Whether forks are told of by the kernel. */
  processEvents: boolean;
  /** From a fork until the child was on its way to the timer thread. */
  birthDelay: NativeQuantiles;
  targets: number;
  members: number;
  signals: number;
  wakeups: number;
  skippedWindows: number;
  deferredWindows: number;
  /** Sums over the finished cycles of all targets there were, ns. */
  ranNs: number;
  stoppedNs: number;
  meteredNs: number;
  spentNs: number;
  /** Wall time since the engine started, ns. */
  elapsedNs: number;
  /** CPU time of the timer threads, ns. */
  cpuNs: number;
  /** CPU time of the helper thread, ns. */
  scoutCpuNs: number;
  /** Part of cpuNs spent spinning, ns. */
  spinNs: number;
  signalsPerSecond: number;
  wakeupsPerSecond: number;
  /** Share of one CPU that the timer threads used in the last second or so. */
  share: number;
  /** Learned cost of a signal, ns. */
  signalCostNs: number;
  /** Factor by which periods are lengthened now: 1, 2 or 4. */
  stretch: number;
  lateness: NativeQuantiles;
  runError: NativeQuantiles;
  stopError: NativeQuantiles;
  wakeLatency: NativeQuantiles;
}

/** Index of each figure in the block that `targetStats` fills for each target. */
export const TargetField = {
  id: 0,
  kind: 1,
  pid: 2,
  /** 0 pending, 1 running, 2 stopped, 3 waiting for the concurrency cap, 4 paused, 5 gone, 6 held: somebody else stopped all its members */
  state: 3,
  members: 4,
  cycles: 5,
  signals: 6,
  skippedWindows: 7,
  deferredWindows: 8,
  /** Sums over the finished cycles, ns: of their run windows, of the stop windows before them. */
  ranNs: 9,
  stoppedNs: 10,
  /** Mean signed error, then quantiles of the absolute error, ns. */
  runErrorMean: 11,
  runErrorP50: 12,
  runErrorP99: 13,
  runErrorMax: 14,
  stopErrorMean: 15,
  stopErrorP50: 16,
  stopErrorP99: 17,
  stopErrorMax: 18,
  runNs: 19,
  stopNs: 20,
  phaseNs: 21,
  /** CPU time spent by the living members since they were added, ns. NaN when not asked for. */
  cpuNs: 22,
  heldMembers: 23,
  /** Its limit in CPUs, 0 for none. */
  limit: 24,
  /** Under a limit, ns: wall time, and the CPU time that its members spent in it, also those that have exited. */
  meteredNs: 25,
  spentNs: 26,
  /** How long it was stopped because it had spent its limit, ns. */
  throttledNs: 27,
  /** Stops left out because nothing had been spent; run windows left out because the limit was spent. */
  sparedWindows: 28,
  throttledWindows: 29,
  /** 1: a cgroup is frozen in place of signals. */
  frozenWhole: 30,
  /** Reports of members that ran in stop windows; the CPU time they used in them, ns; SIGSTOPs that they were sent again. */
  evasions: 31,
  evadedNs: 32,
  restops: 33,
  /** 1: it is watched for that now. */
  suspected: 34,
} as const;
export const TARGET_FIELDS = 35;

/** Index of each part of a target's terms in the block that `add` and `update` take. */
export const TermsField = {
  /** Both 0: no cycle. */
  runNs: 0,
  stopNs: 1,
  phaseMode: 2,
  phaseNs: 3,
  /** In CPUs; 0 = none. */
  limit: 4,
  burstNs: 5,
  minRunNs: 6,
  /** 1: a cycle leaves out the stop when nothing was spent in the run window. */
  spareIdle: 7,
  /** What `addPool` returned; 0 = none. */
  pool: 8,
  /** From 0.001 to 1000. */
  weight: 9,
} as const;
export const TERMS_FIELDS = 10;

export interface NativePoolStats {
  /** In CPUs. */
  limit: number;
  /** Its targets; those that wait, stopped, for a turn; those that have one. */
  targets: number;
  waiting: number;
  inTurn: number;
  /** Since it was made, likewise the times, ns. */
  turns: number;
  meteredNs: number;
  spentNs: number;
}

export interface NativeEngine {
  /**
   * Hands the target to the helper thread; returns its id (> 0). Never blocks.
   *
   * @param startTime in clock ticks after boot (field 22 of /proc/PID/stat); -1 = not given
   * @param pid 0 for a cgroup
   * @param inode of a pidfd of the process, or of the cgroup's directory; 0n = not given
   * @param cgroup path of a cgroup, "" otherwise
   * @param adoptOrphans for a tree: processes that the kernel hands to us as subreaper belong to it too, and are reaped by us
   * @param terms TERMS_FIELDS numbers
   */
  add(
    kind: number,
    pid: number,
    startTime: number,
    inode: bigint,
    adoptOrphans: boolean,
    terms: Float64Array,
    cgroup: string,
    via: number,
    onEvasion: number,
  ): number;
  /** @param revision comes back with the event "overload" if the terms are refused. */
  update(id: number, terms: Float64Array, revision: number): void;
  /** Resume and forget a target; a "released" event follows. */
  release(id: number): void;
  /** Returns its id (> 0). `concurrency` 0 = no cap. */
  addPool(limit: number, burstNs: number, minRunNs: number, concurrency: number): number;
  updatePool(id: number, limit: number, burstNs: number, minRunNs: number, concurrency: number): void;
  /** It ends with the last target that names it. Afterwards its id must not be used. */
  endPool(id: number): void;
  poolStats(id: number): NativePoolStats | undefined;
  /** Resume everything and keep it running; returns when done. */
  pause(): void;
  resume(): void;
  /** Takes all events that have not been taken yet. A number is the id of a target that is ready. */
  drain(): (NativeEvent | number)[];
  stats(): NativeEngineStats;
  /** For each histogram the counts below each bound, then the count of all and the sum of their absolute values, ns. */
  histograms(): { boundsNs: number[]; lateness: number[]; runError: number[]; stopError: number[] };
  /** Fills TARGET_FIELDS numbers for each id (NaN in field `id` for unknown ones). `withCpu` reads the members' CPU clocks (1 µs each). */
  targetStats(ids: Float64Array, out: Float64Array, withCpu: boolean): void;
  /** PIDs of the members now, parents before children. */
  members(id: number): number[];
  /** Begin closing: everything is resumed, then a "closed" event comes. */
  close(): void;
  /** Close and wait: everything is resumed when it returns. Idempotent. */
  closeNow(): void;
  ref(): void;
  unref(): void;
}

interface EngineAddon {
  Engine: new (options: NativeEngineOptions & { guardianProgram: string }, onEvents: () => void) => NativeEngine;
  /** From now on the signal pauses all engines of this process, however starved the event loop is; `onPaused` is called afterwards. Once in a process. */
  pauseOnSignal(signal: number, onPaused: () => void): void;
}

let engineAddon: EngineAddon | undefined;

export function createEngine(options: NativeEngineOptions, onEvents: () => void): NativeEngine {
  engineAddon ??= loadAddon<EngineAddon>("engine");
  const { Engine } = engineAddon;
  return callNative(() => new Engine({ ...options, guardianProgram: `${packageRoot}build/Release/hobble_guardian` }, onEvents));
}

export function pauseOnSignal(signal: number, onPaused: () => void): void {
  engineAddon ??= loadAddon<EngineAddon>("engine");
  const { pauseOnSignal } = engineAddon;
  callNative(() => pauseOnSignal(signal, onPaused));
}
