/** One run: a contestant hobbles a herd, the referee watches, the kernel's accounting says what it cost. */
import { monotonicNs, sleepSeconds } from "./clock.js";
import type { Contestant } from "./contestants/contestant.js";
import type { EngineReply, Started, StartMessage, StatsReply, SumsReply } from "./contestants/messages.js";
import { Session } from "./contestants/session.js";
import { Herd, type HerdKind, type Load } from "./herd.js";
import { cpuTimeNs, hostShares, hostTicks, residentBytes } from "./referee/accounting.js";
import type { EdgesByPid } from "./referee/edges.js";
import type { Referee } from "./referee/referee.js";
import { type Cycle, type Interval, measureWindows, type Windows } from "./referee/windows.js";

export interface RunPlan {
  contestant: Contestant;
  count: number;
  load: Load;
  /** What the herd is made of, so that the referee sees it. */
  kind: HerdKind;
  cycle: Cycle;
  /** Time measured, after the warm-up. */
  seconds: number;
  /** Contestant and targets run as this user; undefined: as we do. */
  userId?: number;
  /** Ask hobble at both ends of the measured time how long its targets ran. Peers cannot answer. */
  asksDuty?: boolean;
  /** What else is to be done with the same processes when the contestant has left them. */
  afterwards?: (herd: Herd) => Promise<void>;
}

export interface Run {
  contestant: string;
  count: number;
  load: Load;
  cycle: Cycle;
  seconds: number;
  windows: Windows;
  /** Signals to the targets in the measured time. */
  signals: number;
  /** CPU time of the contestant in the measured time, all its threads. */
  cpuNs: number;
  residentBytes: number;
  /** Of hobble's own count, in the same interval; undefined for others. */
  timerThread: EngineReply | undefined;
  /** Shares of all CPUs in the measured time. */
  steal: number;
  idle: number;
  /** Of hobble only, likewise the next two. */
  started: Started | undefined;
  stats: StatsReply | undefined;
  /** Duty over the measured time by hobble's own count, where it was asked. */
  dutyTold: number;
  /** From the first `add` to the last of the targets' first SIGSTOPs. */
  allStoppedMs: number;
}

const warmupSeconds = 1;
/** What a run takes beside the warm-up and the measured time, at most: the herd must not outlive a bench that hangs. */
const slackSeconds = 60;

export async function measure(referee: Referee, plan: RunPlan): Promise<Run> {
  const { contestant, count, cycle, kind, load, seconds, userId } = plan;
  const watchedSeconds = warmupSeconds + seconds;
  // Before the herd: a contestant needs a CPU to start.
  const session = await Session.open(contestant, userId);
  let herd: Herd | undefined;
  try {
    herd = await Herd.start({ count, kind, lifetimeSeconds: watchedSeconds + slackSeconds, shortestGapMs: cycle.stopMs / 2, userId });
    referee.begin(herd, expectedSignals(count, cycle, watchedSeconds + 1));
    const start: StartMessage = { type: "start", pids: herd.pids, ...cycle, ...(contestant.options && { options: contestant.options }) };
    const started = await session.ask<Partial<Started>>(start);
    herd.go();
    await sleepSeconds(warmupSeconds);

    const sumsBefore = plan.asksDuty ? await session.ask<SumsReply>({ type: "sums" }) : undefined;
    const engineBefore = isHobble(started) ? await session.ask<EngineReply>({ type: "engine" }) : undefined;
    const ticksBefore = hostTicks();
    const cpuBefore = cpuTimeNs(session.pid);
    const fromNs = monotonicNs();
    await sleepSeconds(seconds);
    const interval: Interval = { fromNs, toNs: monotonicNs() };
    const cpuNs = cpuTimeNs(session.pid) - cpuBefore;
    const shares = hostShares(ticksBefore, hostTicks());
    const engineAfter = isHobble(started) ? await session.ask<EngineReply>({ type: "engine" }) : undefined;
    const sumsAfter = plan.asksDuty ? await session.ask<SumsReply>({ type: "sums" }) : undefined;

    const edges = await referee.end(herd);
    // Before the statistics are asked for: what that leaves to the garbage collector is the bench's doing.
    const resident = residentBytes(session.pid);
    const own = isHobble(started) ? { started, stats: await session.ask<StatsReply>({ type: "stats" }) } : undefined;
    if (plan.afterwards !== undefined) {
      await session.close();
      await plan.afterwards(herd);
    }
    return {
      contestant: contestant.name,
      count,
      load,
      cycle,
      seconds: (interval.toNs - interval.fromNs) / 1e9,
      windows: measureWindows(edges, cycle, interval),
      signals: countWithin(edges, interval),
      cpuNs,
      residentBytes: resident,
      ...shares,
      started: own?.started,
      stats: own?.stats,
      timerThread: engineBefore && engineAfter && between(engineBefore, engineAfter),
      dutyTold: dutyBetween(sumsBefore, sumsAfter),
      allStoppedMs: own === undefined ? Number.NaN : lastFirstStopMs(edges, own.started.firstAddNs),
    };
  } finally {
    // The herd first: a contestant that its targets starve would be long in leaving.
    await herd?.end();
    await session.close();
  }
}

function between(before: EngineReply, after: EngineReply): EngineReply {
  return {
    cpuNs: after.cpuNs - before.cpuNs,
    elapsedNs: after.elapsedNs - before.elapsedNs,
    signals: after.signals - before.signals,
  };
}

function dutyBetween(before: SumsReply | undefined, after: SumsReply | undefined): number {
  if (before === undefined || after === undefined) return Number.NaN;
  const ranNs = after.ranNs - before.ranNs;
  return ranNs / (ranNs + after.stoppedNs - before.stoppedNs);
}

function expectedSignals(count: number, { runMs, stopMs }: Cycle, seconds: number): number {
  return 2 * count * Math.ceil((seconds * 1e3) / (runMs + stopMs) + 1);
}

function isHobble(started: Partial<Started>): started is Started {
  return started.firstAddNs !== undefined;
}

function countWithin(edges: EdgesByPid, { fromNs, toNs }: Interval): number {
  let count = 0;
  for (const { timesNs } of edges.values()) count += timesNs.filter((time) => time >= fromNs && time <= toNs).length;
  return count;
}

/** NaN if one was never stopped. */
function lastFirstStopMs(edges: EdgesByPid, fromNs: number): number {
  let lastNs = 0;
  for (const { timesNs, stops } of edges.values()) lastNs = Math.max(lastNs, timesNs[stops.indexOf(true)] ?? Number.NaN);
  return (lastNs - fromNs) / 1e6;
}
