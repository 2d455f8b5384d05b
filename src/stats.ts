/** The figures of an engine, as callers see them. Every duration is in nanoseconds and says so (`…Ns`); shares and duties are fractions of 1. */
import type { NativeEngine, NativeQuantiles } from "./native.js";

/** Of absolute values; 0 while `count` is 0. Quantiles come from a log-linear histogram. */
export interface Quantiles {
  count: number;
  meanNs: number;
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
}

export interface HobblerStats {
  /** What the timer thread obtained: SCHED_FIFO; ordinary scheduling with a short EEVDF slice; or ordinary scheduling as it is. */
  scheduler: "fifo" | "slice" | "other";
  /** Priority under SCHED_FIFO, else 0. */
  priority: number;
  /** EEVDF slice; 0 = the kernel's default. */
  sliceNs: number;
  /** Why SCHED_FIFO was not obtained, where it was wanted. */
  realtimeError: string | undefined;
  /** Whether the engine's memory is locked. */
  lockedMemory: boolean;
  /** CPU that the timer thread is pinned to. */
  cpu: number | undefined;
  /** How signals are sent: through pidfds, or by PID where the kernel lacks them. */
  signalMethod: "pidfd" | "kill";
  /** Most targets that run at once; undefined = no cap. */
  concurrency: number | undefined;
  /** PID of the guardian; undefined while there is none. */
  guardian: number | undefined;
  /** Looks for stops that are not ours (12 µs each, part of `scoutCpuNs`), since the engine started. */
  foreignLooks: number;
  /**
   * Whether the kernel tells of forks (netlink proc connector), so that a new child of a tree is a member at once. Without it trees are read again every
   * 100 ms, and after each stop. False while there is no tree.
   */
  processEvents: boolean;
  /** From a fork until the child was on its way to the timer thread as a member, where `processEvents`. */
  birthDelay: Quantiles;
  targets: number;
  members: number;
  /** Since the engine started, likewise the counters below. */
  signals: number;
  wakeups: number;
  /** Windows that were wholly in the past when their turn came. */
  skippedWindows: number;
  /** Run windows that had to wait because of `concurrency`. */
  deferredWindows: number;
  /** Sums of the run windows and of the stop windows of all finished cycles, also of targets that have ended. */
  ranNs: number;
  stoppedNs: number;
  /** ranNs / (ranNs + stoppedNs), by the times of the signals; undefined until the first cycle has ended. */
  dutyAchieved: number | undefined;
  /** Under limits, summed over all targets there were: wall time, and the CPU time that they spent in it, up to the last look at each. */
  meteredNs: number;
  spentNs: number;
  elapsedNs: number;
  /** CPU time of the timer threads, `spinNs` included. */
  cpuNs: number;
  /** CPU time of the helper thread, which opens processes and reads /proc. */
  scoutCpuNs: number;
  spinNs: number;
  /** In the last second or so, likewise the next two. */
  signalsPerSecond: number;
  wakeupsPerSecond: number;
  /** Share of one CPU that the timer threads used. */
  cpuShare: number;
  /** What a signal costs here, as learned. */
  signalCostNs: number;
  /** Factor by which periods are lengthened now: 1, 2 or 4. */
  stretch: number;
  /** Moment a signal was sent minus its deadline. */
  lateness: Quantiles;
  /** Window error of the run windows, of the stop windows. */
  runError: Quantiles;
  stopError: Quantiles;
  /** From the moment that the timer was set to until the thread ran. */
  wakeLatency: Quantiles;
}

/** Of absolute values, since the engine started. */
export interface Histogram {
  count: number;
  /** From the middles of fine buckets (3 %). */
  sumNs: number;
  /** How many values were below each of `boundsNs`. */
  cumulative: number[];
}

export interface EngineHistograms {
  /** 1.024 µs and its doubles, to 1.07 s: the buckets of the engine end exactly there. */
  boundsNs: number[];
  lateness: Histogram;
  runError: Histogram;
  stopError: Histogram;
}

export function readHistograms(engine: NativeEngine): EngineHistograms {
  const { boundsNs, lateness, runError, stopError } = engine.histograms();
  return { boundsNs, lateness: histogram(lateness), runError: histogram(runError), stopError: histogram(stopError) };
}

/** The native side gives the counts below each bound, then the count of all and their sum. */
function histogram(figures: number[]): Histogram {
  return { cumulative: figures.slice(0, -2), count: figures.at(-2) ?? 0, sumNs: figures.at(-1) ?? 0 };
}

export function readHobblerStats(engine: NativeEngine): HobblerStats {
  const { share, lateness, runError, stopError, wakeLatency, birthDelay, ...native } = engine.stats();
  return {
    ...native,
    scheduler: native.scheduler as HobblerStats["scheduler"],
    signalMethod: native.signalMethod as HobblerStats["signalMethod"],
    realtimeError: native.realtimeError === "" ? undefined : native.realtimeError,
    cpu: native.cpu < 0 ? undefined : native.cpu,
    guardian: native.guardian === 0 ? undefined : native.guardian,
    concurrency: native.concurrency === 0 ? undefined : native.concurrency,
    dutyAchieved: duty(native.ranNs, native.stoppedNs),
    cpuShare: share,
    birthDelay: quantiles(birthDelay),
    lateness: quantiles(lateness),
    runError: quantiles(runError),
    stopError: quantiles(stopError),
    wakeLatency: quantiles(wakeLatency),
  };
}

/** undefined until the first cycle has ended. */
export function duty(ranNs: number, stoppedNs: number): number | undefined {
  return ranNs > 0 ? ranNs / (ranNs + stoppedNs) : undefined;
}

function quantiles({ count, mean, p50, p90, p99, p999, max }: NativeQuantiles): Quantiles {
  return { count, meanNs: mean, p50Ns: p50, p90Ns: p90, p99Ns: p99, p999Ns: p999, maxNs: max };
}
