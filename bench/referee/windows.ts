/** From the moments of stopping and resuming to windows, their errors, and what follows from them. */
import { median, quantile, sum } from "../statistics.js";
import type { Edges, EdgesByPid } from "./edges.js";

export interface Cycle {
  runMs: number;
  stopMs: number;
}

export interface Interval {
  fromNs: number;
  toNs: number;
}

/** Of all processes together. Windows that the interval's ends cut, the first and the last of each process, are left out. */
export interface Windows {
  /** Processes of which at least one whole run window was seen. */
  processes: number;
  /** Signed, ns: longer than asked for is above 0. */
  runErrorsNs: number[];
  stopErrorsNs: number[];
  /**
   * How long after its moment each signal came, as far as an observer can know: the deadlines of a process are taken to be a grid of
   * whole periods on which the most punctual tenth of its signals is on time. Meaningless where windows are deferred or periods lengthened.
   */
  latenessNs: number[];
  /** Share of the interval in which the processes were not stopped; cut windows count too. */
  duty: number;
  /** Periods that passed without a run window of their own. */
  missed: number;
  /** Mean period against the one asked for, in millionths; median of the processes. */
  driftPpm: number;
  /**
   * Of windows that an end of the interval cuts, those of which more than was asked for lies within it: the errors of that part, ns. A process
   * that got no signal at all has one such window.
   */
  cutRunErrorsNs: number[];
  cutStopErrorsNs: number[];
}

export function measureWindows(edges: EdgesByPid, cycle: Cycle, interval: Interval): Windows {
  const all: Windows = {
    processes: 0,
    runErrorsNs: [],
    stopErrorsNs: [],
    latenessNs: [],
    duty: Number.NaN,
    missed: 0,
    driftPpm: Number.NaN,
    cutRunErrorsNs: [],
    cutStopErrorsNs: [],
  };
  const runNs = cycle.runMs * 1e6;
  const stopNs = cycle.stopMs * 1e6;
  const drifts: number[] = [];
  let ranNs = 0;
  for (const own of edges.values()) {
    const before = stoppedBefore(own, interval);
    const turns = turnsWithin(own, interval, before);
    ranNs += timeRun(before, turns, interval);
    const runs = all.runErrorsNs.length;
    turns.timesNs.forEach((from, index) => {
      const to = turns.timesNs[index + 1];
      if (to === undefined) return;
      if (turns.stops[index]) {
        all.stopErrorsNs.push(to - from - stopNs);
      } else {
        all.runErrorsNs.push(to - from - runNs);
      }
    });
    for (const { stopped, ns } of cutWindows(before, turns, interval)) {
      const error = ns - (stopped ? stopNs : runNs);
      if (error > 0) (stopped ? all.cutStopErrorsNs : all.cutRunErrorsNs).push(error);
    }
    if (all.runErrorsNs.length > runs) all.processes++;
    const grid = fitGrid(turns, runNs, runNs + stopNs);
    for (const lateness of grid.latenessNs) all.latenessNs.push(lateness);
    all.missed += grid.missed;
    if (!Number.isNaN(grid.driftPpm)) drifts.push(grid.driftPpm);
  }
  all.driftPpm = median(drifts);
  all.duty = ranNs / (edges.size * (interval.toNs - interval.fromNs));
  return all;
}

/** Joins windows that others have measured, such as further rounds of the same run. */
export function joinWindows(parts: readonly Windows[]): Windows {
  const errors = (of: (part: Windows) => number[]) => parts.flatMap(of);
  const periods = parts.map((part) => part.runErrorsNs.length);
  const weighted = (of: (part: Windows) => number) => sum(parts.map((part, index) => of(part) * (periods[index] ?? 0))) / sum(periods);
  return {
    processes: Math.max(...parts.map((part) => part.processes)),
    runErrorsNs: errors((part) => part.runErrorsNs),
    stopErrorsNs: errors((part) => part.stopErrorsNs),
    latenessNs: errors((part) => part.latenessNs),
    duty: weighted((part) => part.duty),
    missed: sum(parts.map((part) => part.missed)),
    driftPpm: weighted((part) => part.driftPpm),
    cutRunErrorsNs: errors((part) => part.cutRunErrorsNs),
    cutStopErrorsNs: errors((part) => part.cutStopErrorsNs),
  };
}

/** The edges within the interval at which something changed: a second SIGSTOP to a stopped process begins no window. */
function turnsWithin({ timesNs, stops }: Edges, { fromNs, toNs }: Interval, before: boolean): Edges {
  const turns: Edges = { timesNs: [], stops: [] };
  timesNs.forEach((time, index) => {
    const stop = stops[index] ?? false;
    if (time < fromNs || time > toNs || stop === (turns.stops.at(-1) ?? before)) return;
    turns.timesNs.push(time);
    turns.stops.push(stop);
  });
  return turns;
}

/** Whether the process was stopped when the interval began. If its first signal of all resumes it, it had been; if it got none, it never was. */
function stoppedBefore({ timesNs, stops }: Edges, { fromNs }: Interval): boolean {
  const last = timesNs.findLastIndex((time) => time < fromNs);
  return stops[last] ?? (stops.length > 0 && stops[0] === false);
}

/** The parts within the interval of the windows that its ends cut: the first and the last, or the only one. */
function cutWindows(before: boolean, { timesNs, stops }: Edges, { fromNs, toNs }: Interval): { stopped: boolean; ns: number }[] {
  const [first, last] = [timesNs[0], timesNs.at(-1)];
  if (first === undefined || last === undefined) return [{ stopped: before, ns: toNs - fromNs }];
  return [
    { stopped: before, ns: first - fromNs },
    { stopped: stops.at(-1) ?? before, ns: toNs - last },
  ];
}

/** Places the turns of one process on a grid of whole periods. */
function fitGrid({ timesNs, stops }: Edges, runNs: number, periodNs: number): { latenessNs: number[]; missed: number; driftPpm: number } {
  const residuals: number[] = [];
  let first: number | undefined;
  let last = 0;
  let periods = 0;
  let missed = 0;
  timesNs.forEach((time, index) => {
    if (stops[index]) {
      if (first !== undefined) residuals.push(time - first - periods * periodNs - runNs);
      return;
    }
    if (first === undefined) {
      first = time;
    } else {
      const passed = Math.max(1, Math.round((time - last) / periodNs));
      periods += passed;
      missed += passed - 1;
    }
    last = time;
    residuals.push(time - first - periods * periodNs);
  });
  // Not the very first: one signal that came too early would make all others late.
  const onTime = quantile(Float64Array.from(residuals).sort(), 0.1);
  const driftPpm = first === undefined || periods === 0 ? Number.NaN : ((last - first) / periods / periodNs - 1) * 1e6;
  return { latenessNs: residuals.map((residual) => residual - onTime), missed, driftPpm };
}

/** Time within the interval in which the process was not stopped. */
function timeRun(before: boolean, { timesNs, stops }: Edges, { fromNs, toNs }: Interval): number {
  let ranNs = 0;
  let since = fromNs;
  let stopped = before;
  timesNs.forEach((time, index) => {
    if (!stopped) ranNs += time - since;
    since = time;
    stopped = stops[index] ?? false;
  });
  return stopped ? ranNs : ranNs + toNs - since;
}
