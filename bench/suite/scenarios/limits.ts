/** How much CPU a limited process gets against what it was allowed. */
import type { Cycle } from "../../referee/windows.js";
import { evaluateAll } from "../../statistics/measurement.js";
import { type BenchScenario, takeTurns } from "../bench-lab.js";
import { trial } from "../trial.js";

/** The measured time is made of whole ones. */
const periodMs = 130;

/** Of one CPU. cpulimit takes whole percent. The finer table is that of `npm run bench:limit`. */
const shares = [0.05, 0.2];

function cycleFor(share: number): Cycle {
  return { runMs: share * periodMs, stopMs: (1 - share) * periodMs };
}

/** Of one process a loop's limit is as good in every language: one stands for all of them. */
const compared = ["hobble", "hobble-limit", "hobble-freeze", "asyncio", "cpulimit", "shell", "quota-v1", "quota-v2"];

const comparedQuickly = ["hobble-limit", "asyncio", "cpulimit", "quota-v1", "quota-v2"];

export const limits: BenchScenario = {
  name: "limits",
  about: "CPU got against CPU asked, 5 and 20 % of one CPU",
  async run(lab) {
    const quick = lab.effort.name === "quick";
    const asked = quick ? [0.2] : shares;
    const among = lab.entrants.filter(({ id }) => (quick ? comparedQuickly : compared).includes(id));
    for (const share of asked) {
      await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
        const point = `${Math.round(share * 100)} % of one CPU`;
        lab.log(`limits: ${point}: ${one.name}`);
        const { metrics } = await trial(lab, one, { count: 1, load: "busy", cycle: cycleFor(share), seconds: 2 * lab.effort.seconds });
        const got = metrics.targetsCpu;
        if (got === undefined) return;
        lab.found.observations.push({
          scenario: "limits",
          point,
          count: 1,
          contestant: one.id,
          round,
          metrics: { limitOff: { kind: "median", parts: [evaluateAll(got) / share] }, ...(metrics.cpu && { cpu: metrics.cpu }) },
        });
      });
    }
  },
};
