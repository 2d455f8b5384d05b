/** What a scenario is given and what it gives back. */
import { cyclictest } from "../contestants/cyclictest.js";
import { Herd } from "../herd.js";
import { measure, type Run, type RunPlan } from "../measure.js";
import { hostShares, hostTicks } from "../referee/accounting.js";
import type { Referee } from "../referee/referee.js";
import type { Cycle } from "../referee/windows.js";
import type { Figure } from "../report/figures.js";
import type { Summary } from "../statistics.js";

/** The cycle that the project's figures are about. */
export const cycle: Cycle = { runMs: 10, stopMs: 250 };
export const duty = cycle.runMs / (cycle.runMs + cycle.stopMs);

/** hobble's default, and so that of everything it is compared with. */
export const priority = 50;

/** cyclictest in a scenario: its latencies and how quiet the host was. */
export interface Floor {
  scenario: string;
  latency: Summary;
  steal: number;
}

export interface Outcome {
  runs: { scenario: string; run: Run }[];
  floors: Floor[];
  figures: Figure[];
  notes: string[];
}

export interface Lab {
  referee: Referee;
  /** Length of a measured run. */
  seconds: number;
  /** How often hobble and cyclictest take turns where they are compared. */
  rounds: number;
  driftSeconds: number;
  /** Whether we may start processes as another user. */
  root: boolean;
  log: (line: string) => void;
}

export interface Scenario {
  name: string;
  about: string;
  run(lab: Lab): Promise<Outcome>;
}

export function emptyOutcome(): Outcome {
  return { runs: [], floors: [], figures: [], notes: [] };
}

/** Runs and records; undefined where the referee cannot see such targets. */
export async function compete(
  lab: Lab,
  outcome: Outcome,
  scenario: string,
  plan: Omit<RunPlan, "cycle" | "kind">,
): Promise<Run | undefined> {
  const kind = lab.referee.herdKind(plan.load);
  if (kind === undefined) {
    outcome.notes.push(`${scenario}: left out, as "${lab.referee.name}" does not tell about ${plan.load} targets`);
    return undefined;
  }
  lab.log(`${scenario}: ${plan.contestant.name}, ${plan.seconds} s`);
  const run = await measure(lab.referee, { cycle, kind, ...plan });
  outcome.runs.push({ scenario, run });
  return run;
}

/**
 * Runs cyclictest under a load equal to `busyTargets` that are hobbled: as many free-running hogs as targets run at a time. Nobody hobbles
 * meanwhile: at the same SCHED_FIFO priority cyclictest would wait for the hobbler, which would flatter the hobbler. Undefined where cyclictest
 * cannot run.
 */
export async function measureFloor(
  lab: Lab,
  outcome: Outcome,
  scenario: string,
  busyTargets: number,
  seconds: number,
): Promise<Floor | undefined> {
  lab.log(`${scenario}: cyclictest, ${seconds} s`);
  const hogs = busyTargets === 0 ? 0 : Math.max(1, Math.round(busyTargets * duty));
  const herd = await Herd.start({
    count: hogs,
    kind: "busy",
    lifetimeSeconds: seconds + 30,
    shortestGapMs: cycle.stopMs,
    userId: undefined,
  });
  try {
    herd.go();
    const before = hostTicks();
    const latency = await cyclictest(priority, seconds);
    if (latency === undefined) {
      outcome.notes.push(`${scenario}: no floor, cyclictest is not installed or not permitted`);
      return undefined;
    }
    const floor: Floor = { scenario, latency, steal: hostShares(before, hostTicks()).steal };
    outcome.floors.push(floor);
    return floor;
  } finally {
    await herd.end();
  }
}

/** CPU time of a run's contestant, as a share of one CPU. */
export function cpuShare(run: Run): number {
  return run.cpuNs / (run.seconds * 1e9);
}
