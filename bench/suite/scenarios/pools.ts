/** Targets that share one limit: is it kept, and is it shared fairly? */
import type { Cycle } from "../../referee/windows.js";
import { evaluateAll } from "../../statistics/measurement.js";
import { type BenchScenario, takeTurns } from "../bench-lab.js";
import { trial } from "../trial.js";

const count = 10;
/** Half a CPU for all together. */
const cycle: Cycle = { runMs: 50, stopMs: 50 };
const share = cycle.runMs / (cycle.runMs + cycle.stopMs);

export const pools: BenchScenario = {
  name: "pools",
  about: "ten busy processes share half a CPU: is it kept, and fair?",
  async run(lab) {
    const among = lab.entrants.filter(({ as }) => as === "pool");
    await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
      lab.log(`pools: ${one.name}`);
      const { metrics, targetsNs } = await trial(lab, one, { count, load: "busy", cycle, seconds: 3 });
      const got = metrics.targetsCpu;
      if (got === undefined) return;
      const [least, most] = [targetsNs.reduce((a, b) => Math.min(a, b)), targetsNs.reduce((a, b) => Math.max(a, b))];
      lab.found.observations.push({
        scenario: "pools",
        point: `${count} busy, half a CPU`,
        count,
        contestant: one.id,
        round,
        metrics: {
          limitOff: { kind: "median", parts: [evaluateAll(got) / share] },
          fairness: { kind: "median", parts: [most / Math.max(1, least)] },
          ...(metrics.cpu && { cpu: metrics.cpu }),
        },
      });
    });
  },
};
