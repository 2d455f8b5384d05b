/** How exact the windows are: 10, 100 and 1,000 targets, idle and busy, against the plain loop, with cyclictest as the floor. */
import { asyncio, hobble } from "../contestants/contestant.js";
import type { Load } from "../herd.js";
import type { Run } from "../measure.js";
import { joinWindows, type Windows } from "../referee/windows.js";
import { atLeast, atMost, type Figure, notMeasured } from "../report/figures.js";
import { percent, time, times } from "../report/units.js";
import { mean, median, summarizeErrors } from "../statistics.js";
import { compete, cpuShare, emptyOutcome, type Floor, type Lab, measureFloor, type Outcome, type Scenario } from "./scenario.js";

const counts = [10, 100, 1000];
const floorSeconds = 2;
/** A thousand busy targets under asyncio have windows of several seconds: shorter runs would see none from end to end. */
const shortestAsyncioSeconds = 15;

export const precision: Scenario = {
  name: "precision",
  about: "window errors with 10, 100 and 1,000 targets, idle and busy",
  async run(lab) {
    const outcome = emptyOutcome();
    for (const load of ["idle", "busy"] as const) {
      for (const count of counts) await compare(lab, outcome, load, count);
    }
    return outcome;
  },
};

async function compare(lab: Lab, outcome: Outcome, load: Load, count: number): Promise<void> {
  const scenario = `${count} ${load}`;
  const judged = load === "busy" && count === 1000;
  const runs: Run[] = [];
  const floors: Floor[] = [];
  for (let round = 0; round < (judged ? lab.rounds : 1); round++) {
    const run = await compete(lab, outcome, scenario, { contestant: hobble(), count, load, seconds: lab.seconds });
    if (run === undefined) return;
    runs.push(run);
    const floor = await measureFloor(lab, outcome, scenario, load === "busy" ? count : 0, judged ? lab.seconds : floorSeconds);
    if (floor !== undefined) floors.push(floor);
  }
  const seconds = judged ? Math.max(lab.seconds, shortestAsyncioSeconds) : lab.seconds;
  const plain = await compete(lab, outcome, scenario, { contestant: asyncio, count, load, seconds });
  if (judged && plain !== undefined) outcome.figures.push(...judge(scenario, runs, floors, plain));
}

function judge(scenario: string, runs: readonly Run[], floors: readonly Floor[], plain: Run): Figure[] {
  const scheduler = runs[0]?.stats?.engine.scheduler;
  if (scheduler !== "fifo") return [notMeasured(scenario, "precision under SCHED_FIFO", `the engine got "${scheduler}" scheduling`)];
  const errors = summarizeErrors(joinWindows(runs.map((run) => run.windows)).runErrorsNs);
  return [
    atMost(scenario, "run-window error, p50", errors.p50, 10e3, time),
    atMost(scenario, "run-window error, p99", errors.p99, 150e3, time),
    atMost(scenario, "CPU of the whole process", mean(runs.map(cpuShare)), 0.12, percent),
    atLeast(scenario, "p99 of asyncio / p99 of hobble", asyncioP99(plain.windows) / errors.p99, 10_000, times),
    ...judgeLateness(scenario, runs, floors),
  ];
}

/** Compares the median rounds: one hiccup of the host falls into the turn of one side only. */
function judgeLateness(scenario: string, runs: readonly Run[], floors: readonly Floor[]): Figure[] {
  const what = "lateness, p99, against cyclictest";
  if (floors.length === 0) return [notMeasured(scenario, what, "cyclictest is not installed or not permitted")];
  const seen = median(runs.map((run) => summarizeErrors(run.windows.latenessNs).p99));
  const counted = median(runs.map((run) => run.stats?.engine.lateness.p99Ns ?? Number.NaN));
  const floor = median(floors.map(({ latency }) => latency.p99));
  return [
    atMost(scenario, `${what}, by the referee`, seen, floor, time),
    atMost(scenario, `${what}, by the engine's count`, counted, floor, time),
  ];
}

/** With windows still open when the measurement ended: they are as wrong as that at least, and would have been missed for being too wrong. */
function asyncioP99(windows: Windows): number {
  return summarizeErrors([...windows.runErrorsNs, ...windows.cutRunErrorsNs]).p99;
}
