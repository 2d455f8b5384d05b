/** One contestant hobbles one herd for a while: what the referee saw and what the kernel counted, slice by slice. */
import { monotonicNs, sleepSeconds } from "../clock.js";
import type { Entrant } from "../contestants/entrants.js";
import type { Started } from "../contestants/messages.js";
import { Session } from "../contestants/session.js";
import { startMessage } from "../contestants/start-message.js";
import { Herd, type Load } from "../herd.js";
import type { Edges, EdgesByPid } from "../referee/edges.js";
import { treeBytes } from "../referee/process-tree.js";
import type { Referee } from "../referee/referee.js";
import { type Cycle, type Interval, measureWindows } from "../referee/windows.js";
import { type Bins, binned } from "../statistics/bins.js";
import type { Measurement } from "../statistics/measurement.js";
import { sum } from "../statistics.js";
import type { BenchLab } from "./bench-lab.js";
import { groupOf, mountOf, thawAll } from "./groups.js";
import type { Timeline } from "./results.js";
import { targetsCpuNs } from "./targets-cpu.js";

export interface TrialPlan {
  count: number;
  load: Load;
  cycle: Cycle;
  seconds: number;
  warmupSeconds?: number;
  tree?: boolean;
  /** Targets that are there already: thousands take longer to make than to measure. Sleeping ones only, as these are the same after each turn. */
  herd?: Herd;
  /** What is to be done while it hobbles; default: wait for `seconds`. */
  meanwhile?: () => Promise<void>;
}

export interface Trial {
  metrics: Record<string, Measurement>;
  edges: EdgesByPid | undefined;
  interval: Interval;
  /** CPU time of each target in the measured time; empty where targets are idle. */
  targetsNs: number[];
}

const slackSeconds = 60;
const drawnTargets = 24;
const drawnSeconds = 1.6;

/** What the referee has to look at, and what the herd must be made of. */
function observer(lab: BenchLab, one: Entrant, load: Load): { referee: Referee | undefined; kind: Load | "probe" } {
  const { means } = one;
  const kernelSees = means === "signals" || means === "nothing";
  const referee = kernelSees ? lab.signals : lab.gaps;
  const kind = referee.herdKind(load);
  if (seesFreezing(one) && lab.freezes !== undefined) return { referee: undefined, kind: load };
  return kind === undefined ? { referee: undefined, kind: load } : { referee, kind };
}

export async function trial(lab: BenchLab, one: Entrant, plan: TrialPlan): Promise<Trial> {
  const { count, load, cycle, seconds, warmupSeconds = lab.effort.warmupSeconds } = plan;
  const watched = warmupSeconds + seconds;
  const { referee, kind } = observer(lab, one, load);
  await using session = await Session.open(lab.meter.counted(one), undefined);
  const lifetimeSeconds = watched + slackSeconds;
  const herd = plan.herd ?? (await Herd.start({ count, kind, lifetimeSeconds, shortestGapMs: cycle.stopMs / 2, userId: undefined }));
  await using _ours = plan.herd === undefined ? herd : undefined;
  const expected = 2 * count * Math.ceil((watched * 1e3) / (cycle.runMs + cycle.stopMs) + 4);
  let work: Promise<void> | undefined;
  try {
    referee?.begin(herd, expected);
    const frozen = seesFreezing(one) ? lab.freezes : undefined;
    frozen?.begin(expected);
    refuseRefusals(await session.ask<Partial<Started>>(startMessage(one, herd.pids, cycle, plan.tree)), count);
    herd.go();
    await sleepSeconds(warmupSeconds);

    const fromNs = monotonicNs();
    const cpu: [number, number][] = [];
    let before = { cpuNs: lab.meter.readNs(session.pid), timeNs: fromNs };
    const readTargets = () => (load === "idle" ? [] : herd.pids.map((pid) => targetsCpuNs([pid])));
    const targetsBefore = readTargets();
    work = plan.meanwhile?.();
    // Awaited below; what it throws until then must not end the bench.
    work?.catch(() => {});
    while (monotonicNs() < fromNs + seconds * 1e9) {
      await sleepSeconds(lab.effort.sliceSeconds);
      const now = { cpuNs: lab.meter.readNs(session.pid), timeNs: monotonicNs() };
      cpu.push([now.cpuNs - before.cpuNs, now.timeNs - before.timeNs]);
      before = now;
    }
    await work;
    const interval: Interval = { fromNs, toNs: monotonicNs() };
    const targetsNs = readTargets().map((ns, index) => ns - (targetsBefore[index] ?? 0));
    const edges = frozen?.end(groupsOf(session, herd.pids)) ?? (await referee?.end(herd));
    const metrics: Record<string, Measurement> = {
      cpu: { kind: "ratio", parts: cpu },
      memory: { kind: "median", parts: [treeBytes(session.pid)] },
      ...(load === "idle" ? {} : { targetsCpu: { kind: "ratio", parts: [[sum(targetsNs), interval.toNs - fromNs]] } }),
      // A limit has no windows to be held to.
      ...(edges === undefined || one.as !== undefined ? {} : windowMetrics(edges, cycle, interval, lab.effort.sliceSeconds)),
    };
    const signals = edges === undefined || one.means !== "signals" ? [] : signalsBySlice(edges, fromNs, cpu);
    // A limit that is kept sends none.
    if (signals.some((count) => count > 0))
      metrics.perSignal = { kind: "ratio", parts: cpu.map(([ns], slice) => [ns, signals[slice] ?? 0]) };
    return { metrics, edges, interval, targetsNs };
  } finally {
    // It would be the next contestant's load.
    await Promise.allSettled([work]);
    if (plan.herd !== undefined) {
      await session.close();
      plan.herd.resume();
    }
    // If the contestant died it left them frozen, and a process frozen by v1 does not even die before it is thawed.
    if (session.hello.groups !== undefined) thawAll(session.hello.groups);
  }
}

/** A target that was refused runs freely, makes no errors and costs nothing: it would flatter its hobbler. */
function refuseRefusals({ refused = [] }: Partial<Started>, count: number): void {
  if (refused.length > 0) throw new Error(`${refused.length} of ${count} targets were refused: ${refused[0]}`);
}

/** The tracepoint is of cgroup v2 alone. */
export function seesFreezing({ means, id }: Entrant): boolean {
  return means === "freezing" && !id.endsWith("v1");
}

/** A freezing peer says where its groups are; it puts each process into one that bears its PID. hobble makes one below the present one. */
function groupsOf({ hello: { groups } }: Session, pids: readonly number[]): Map<number, string> {
  const mount = mountOf("cgroup2");
  return new Map(pids.map((pid) => [pid, groups === undefined ? (groupOf(pid, "cgroup2", mount) ?? "") : `${groups}/${pid}`]));
}

function signalsBySlice(edges: EdgesByPid, fromNs: number, slices: readonly [number, number][]): number[] {
  const counts = slices.map(() => 0);
  const ends: number[] = [];
  let endNs = fromNs;
  for (const [, ns] of slices) {
    endNs += ns;
    ends.push(endNs);
  }
  for (const { timesNs } of edges.values()) {
    for (const time of timesNs) {
      const slice = time < fromNs ? -1 : ends.findIndex((end) => time < end);
      if (slice >= 0) counts[slice] = (counts[slice] ?? 0) + 1;
    }
  }
  return counts;
}

/** Errors of a slice are those of the windows of every so-manieth process: a slice of time would cut long windows. */
function windowMetrics(edges: EdgesByPid, cycle: Cycle, interval: Interval, sliceSeconds: number): Record<string, Measurement> {
  const slices = Math.max(1, Math.min(edges.size, Math.round((interval.toNs - interval.fromNs) / 1e9 / sliceSeconds)));
  const parts = Array.from({ length: slices }, (): [number, Edges][] => []);
  [...edges].forEach((own, index) => {
    parts[index % slices]?.push(own);
  });
  const windows = parts.map((part) => measureWindows(new Map(part), cycle, interval));
  // A window that an end of the measurement cuts is as wrong as that at least: left out it would flatter whoever is slowest.
  const runErrors: Bins[] = windows.map(({ runErrorsNs, cutRunErrorsNs }) => binned([...runErrorsNs, ...cutRunErrorsNs]));
  const stopErrors: Bins[] = windows.map(({ stopErrorsNs, cutStopErrorsNs }) => binned([...stopErrorsNs, ...cutStopErrorsNs]));
  const seen = (errors: readonly Bins[]) => errors.some((bins) => bins.length > 0);
  return {
    duty: { kind: "ratio", parts: windows.map((part, slice) => [part.duty * (parts[slice]?.length ?? 0), parts[slice]?.length ?? 0]) },
    ...(seen(runErrors) && {
      runErrorP50: { kind: "quantile", q: 0.5, parts: runErrors },
      runErrorP99: { kind: "quantile", q: 0.99, parts: runErrors },
    }),
    ...(seen(stopErrors) && { stopErrorP99: { kind: "quantile", q: 0.99, parts: stopErrors } }),
  };
}

/** A stretch of what really happened, of some of the targets. */
export function timeline(one: Entrant, point: string, { edges, interval }: Trial): Timeline | undefined {
  if (edges === undefined) return undefined;
  const lengthNs = Math.min(drawnSeconds * 1e9, interval.toNs - interval.fromNs);
  const toNs = interval.fromNs + lengthNs;
  const step = Math.max(1, Math.floor(edges.size / drawnTargets));
  const runs = [...edges.values()]
    .filter((_, index) => index % step === 0)
    .slice(0, drawnTargets)
    .map((own) => runsWithin(own, interval.fromNs, toNs));
  return { contestant: one.id, point, lengthMs: lengthNs / 1e6, runs };
}

function runsWithin({ timesNs, stops }: Edges, fromNs: number, toNs: number): number[] {
  const marks: number[] = [];
  let runsSince: number | undefined = fromNs;
  timesNs.forEach((time, index) => {
    if (stops[index]) {
      if (runsSince !== undefined && time > fromNs && runsSince < toNs) marks.push(ms(runsSince, fromNs), ms(Math.min(time, toNs), fromNs));
      runsSince = undefined;
    } else {
      runsSince ??= Math.max(time, fromNs);
    }
  });
  if (runsSince !== undefined && runsSince < toNs) marks.push(ms(runsSince, fromNs), ms(toNs, fromNs));
  return marks;
}

function ms(timeNs: number, fromNs: number): number {
  return Math.round((timeNs - fromNs) / 1e4) / 100;
}
