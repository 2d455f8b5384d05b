/** Does a hobbler give back more than it takes? */
import { availableParallelism } from "node:os";
import { sleepSeconds } from "../../clock.js";
import type { Measurement } from "../../statistics/measurement.js";
import { evaluateAll } from "../../statistics/measurement.js";
import { type BenchLab, type BenchScenario, cycle, entrant, takeTurns } from "../bench-lab.js";
import { Bystander, throughput } from "../bystander.js";
import { trial } from "../trial.js";

/** Fewer than would fill the host by themselves when hobbled: 20 at 3.85 % are 0.77 CPUs. */
const count = 20;

/** One of each sort. */
const compared = ["hobble", "hobble-limit", "hobble-freeze", "asyncio", "batched", "shell", "freezer-v2", "quota-v1", "quota-v2"];

interface Beside {
  innocent: Measurement;
  cpu: Measurement | undefined;
  targetsCpu: Measurement | undefined;
}

async function beside(lab: BenchLab, id: string): Promise<Beside | undefined> {
  const one = entrant(lab, id);
  if (one === undefined) return undefined;
  let innocent: Measurement | undefined;
  const seconds = Math.max(1.5, lab.effort.seconds);
  const meanwhile = async () => {
    const working = await Bystander.start("compute", availableParallelism());
    await sleepSeconds(seconds);
    innocent = throughput(await working.end());
  };
  const { metrics } = await trial(lab, one, { count, load: "busy", cycle, seconds, meanwhile });
  return innocent === undefined ? undefined : { innocent, cpu: metrics.cpu, targetsCpu: metrics.targetsCpu };
}

export const benefit: BenchScenario = {
  name: "benefit",
  about: "CPU given back to innocents for each CPU that the hobbler takes",
  async run(lab) {
    const among = lab.entrants.filter(({ id }) => compared.includes(id));
    for (let round = 0; round < lab.effort.rounds; round++) {
      lab.log("benefit: nothing");
      const free = await beside(lab, "nothing");
      if (free === undefined) {
        lab.found.notes.push("benefit: left out, as nobody let the targets run freely (contestant nothing)");
        return;
      }
      await takeTurns(lab, 1, among, async (one) => {
        lab.log(`benefit: ${one.name}`);
        const found = await beside(lab, one.id);
        if (found === undefined) return;
        const givenBack = evaluateAll(found.innocent) - evaluateAll(free.innocent);
        const taken = found.cpu === undefined ? 0 : evaluateAll(found.cpu);
        lab.found.observations.push({
          scenario: "benefit",
          point: `${count} busy`,
          count,
          contestant: one.id,
          round,
          metrics: {
            throughput: found.innocent,
            // Who gives the targets less than they were granted has more to give back.
            ...(found.targetsCpu && { targetsCpu: found.targetsCpu }),
            givenBack: { kind: "median", parts: [givenBack] },
            // A quota costs nothing that is counted to anybody.
            ...(taken > 1e-5 && { benefit: { kind: "median", parts: [givenBack / taken] } }),
          },
        });
      });
    }
  },
};
