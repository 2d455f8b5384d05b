/** The experiment that started it all: 200 sleeping processes cost the plain loop most of a CPU. */
import { asyncio, hobble } from "../contestants/contestant.js";
import { atMost } from "../report/figures.js";
import { percent } from "../report/units.js";
import { compete, cpuShare, emptyOutcome, measureFloor, type Scenario } from "./scenario.js";

const count = 200;
const floorSeconds = 2;

export const sleeping: Scenario = {
  name: "sleeping",
  about: "CPU used for 200 sleeping targets",
  async run(lab) {
    const outcome = emptyOutcome();
    const scenario = `${count} sleeping`;
    const run = await compete(lab, outcome, scenario, { contestant: hobble(), count, load: "idle", seconds: lab.seconds });
    if (run === undefined) return outcome;
    await measureFloor(lab, outcome, scenario, 0, floorSeconds);
    const plain = await compete(lab, outcome, scenario, { contestant: asyncio, count, load: "idle", seconds: lab.seconds });
    const timerThread = run.timerThread && run.timerThread.cpuNs / run.timerThread.elapsedNs;
    outcome.figures.push(atMost(scenario, "CPU of the whole process, looks for foreign stops included", cpuShare(run), 0.025, percent));
    if (plain === undefined || timerThread === undefined) return outcome;
    outcome.figures.push(
      atMost(scenario, "CPU of the timer thread, against half of asyncio's", timerThread, cpuShare(plain) / 2, percent),
      atMost(scenario, "CPU of the whole process, against half of asyncio's", cpuShare(run), cpuShare(plain) / 2, percent),
    );
    return outcome;
  },
};
