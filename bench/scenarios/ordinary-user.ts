/** Without real-time rights: hobble and its targets belong to a user who has none. */
import { hobble } from "../contestants/contestant.js";
import type { Run } from "../measure.js";
import { atMost, type Figure, notMeasured } from "../report/figures.js";
import { percent, time } from "../report/units.js";
import { summarizeErrors } from "../statistics.js";
import { compete, duty, emptyOutcome, type Scenario } from "./scenario.js";

/** nobody, on every Linux. */
const ordinaryUser = 65_534;
const allowedP50Ns = 150e3;
const allowedDutyError = 0.03;
/** Of a thousand targets that run one at a time each runs once in ten seconds. */
const shortestCappedSeconds = 30;

export const user: Scenario = {
  name: "user",
  about: "20 and 1,000 busy targets as an ordinary user, without SCHED_FIFO",
  async run(lab) {
    const outcome = emptyOutcome();
    const identity = lab.root ? { userId: ordinaryUser } : {};
    const contestant = hobble(lab.root ? {} : { realtime: "off" });
    const few = "20 busy, ordinary user";
    const fewRun = await compete(lab, outcome, few, { contestant, count: 20, load: "busy", seconds: lab.seconds, ...identity });
    if (fewRun !== undefined) {
      outcome.figures.push(...punctuality(few, fewRun));
      outcome.figures.push(atMost(few, "duty against the duty asked", Math.abs(fewRun.windows.duty / duty - 1), allowedDutyError, percent));
    }
    const many = "1,000 busy, ordinary user";
    const seconds = Math.max(lab.seconds, shortestCappedSeconds);
    const manyRun = await compete(lab, outcome, many, { contestant, count: 1000, load: "busy", seconds, asksDuty: true, ...identity });
    if (manyRun !== undefined) {
      outcome.figures.push(...punctuality(many, manyRun));
      outcome.figures.push(
        atMost(
          many,
          "duty that hobble tells against the referee's",
          Math.abs(manyRun.dutyTold / manyRun.windows.duty - 1),
          allowedDutyError,
          percent,
        ),
      );
    }
    return outcome;
  },
};

/** Only the engine knows its deadlines where windows are deferred, so the referee's window error has to be as small as the engine's lateness. */
function punctuality(scenario: string, run: Run): Figure[] {
  const engine = run.stats?.engine;
  if (engine === undefined || engine.scheduler === "fifo") {
    return [notMeasured(scenario, "lateness without real-time rights", "this user may use SCHED_FIFO")];
  }
  return [
    atMost(scenario, "lateness, p50, by the engine's count", engine.lateness.p50Ns, allowedP50Ns, time),
    atMost(scenario, "run-window error, p50", summarizeErrors(run.windows.runErrorsNs).p50, allowedP50Ns, time),
  ];
}
