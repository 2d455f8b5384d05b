/** Ten thousand targets: adding them, keeping them in time, asking after them, and what all that costs. */
import { type BareloopResult, bareloop } from "../contestants/bareloop.js";
import { hobble } from "../contestants/contestant.js";
import type { Started, StatsReply } from "../contestants/messages.js";
import { atMost } from "../report/figures.js";
import { megabytes, milliseconds, percent, time } from "../report/units.js";
import { summarizeErrors } from "../statistics.js";
import { compete, cycle, emptyOutcome, measureFloor, priority, type Scenario } from "./scenario.js";

const count = 10_000;
const floorSeconds = 3;
const bareloopSeconds = 5;

export const many: Scenario = {
  name: "many",
  about: "10,000 sleeping targets: precision, CPU for each signal, adding, statistics, memory",
  async run(lab) {
    const outcome = emptyOutcome();
    const scenario = "10,000 sleeping";
    let bare: BareloopResult | undefined;
    const run = await compete(lab, outcome, scenario, {
      contestant: hobble(),
      count,
      load: "idle",
      seconds: lab.seconds,
      async afterwards(herd) {
        lab.log(`${scenario}: bare loop, ${bareloopSeconds} s`);
        bare = await bareloop(herd.pids, cycle, bareloopSeconds, lab.root ? priority : 0);
      },
    });
    if (run?.started === undefined || run.stats === undefined || run.timerThread === undefined || bare === undefined) return outcome;
    const floor = await measureFloor(lab, outcome, scenario, 0, floorSeconds);

    const { timerThread } = run;
    const bound = (1.3 * bare.cpuNs) / bare.signals;
    const errors = summarizeErrors(run.windows.runErrorsNs);
    outcome.figures.push(
      atMost(scenario, "targets refused", run.started.refused.length, 0, String),
      atMost(scenario, "run-window error, p99 (1 ms or cyclictest's p99)", errors.p99, Math.max(1e6, floor?.latency.p99 ?? 0), time),
      atMost(scenario, "CPU for each signal, timer thread (1.3 × bare loop)", timerThread.cpuNs / timerThread.signals, bound, time),
      atMost(scenario, "the same, whole process, looks for foreign stops included", run.cpuNs / run.signals, bound, time),
      ...handling(scenario, run.started, run.stats),
      atMost(scenario, "from the first add to the last first SIGSTOP", run.allStoppedMs, 600, milliseconds),
      atMost(scenario, "memory of the whole process", run.residentBytes, 90e6, megabytes),
    );
    outcome.notes.push(`${scenario}: the bare loop used ${percent(bare.cpuNs / bare.elapsedNs)} of a CPU for ${bare.signals} signals`);
    outcome.notes.push(...new Set(run.started.refused));
    return outcome;
  },
};

/** What the event loop of the embedding program feels. */
function handling(scenario: string, started: Started, stats: StatsReply) {
  return [
    atMost(scenario, "event loop held by 10,000 add calls", started.addMs, 50, milliseconds),
    atMost(scenario, "a call of stats(), median", stats.statsMs.p50, 10, milliseconds),
    atMost(scenario, "a call of targetStats(), median", stats.targetStatsMs.p50, 10, milliseconds),
  ];
}
