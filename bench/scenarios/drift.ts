/** Whether small errors add up: the mean period over a long time. */
import { hobble } from "../contestants/contestant.js";
import { atMost } from "../report/figures.js";
import { partsPerMillion } from "../report/units.js";
import { compete, emptyOutcome, type Scenario } from "./scenario.js";

export const drift: Scenario = {
  name: "drift",
  about: "mean period over a long time (--drift 10m)",
  async run(lab) {
    const outcome = emptyOutcome();
    const scenario = "20 idle, drift";
    const run = await compete(lab, outcome, scenario, { contestant: hobble(), count: 20, load: "idle", seconds: lab.driftSeconds });
    if (run !== undefined) {
      outcome.figures.push(
        atMost(scenario, `mean period off after ${lab.driftSeconds} s`, Math.abs(run.windows.driftPpm), 1, partsPerMillion),
        atMost(scenario, "periods missed", run.windows.missed, 0, String),
      );
    }
    return outcome;
  },
};
