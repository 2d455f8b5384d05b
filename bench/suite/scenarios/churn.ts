/** Targets that come and go as fast as it can be done. */
import { availableParallelism } from "node:os";
import { Hobbler } from "hobble";
import { monotonicNs } from "../../clock.js";
import { Herd } from "../../herd.js";
import { type BenchScenario, cycle } from "../bench-lab.js";

const count = 500;

export const churn: BenchScenario = {
  name: "churn",
  about: "targets added, stopped once and released again, a second (hobble only)",
  async run(lab) {
    const seconds = lab.effort.seconds;
    const herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
    try {
      for (let round = 0; round < lab.effort.rounds; round++) {
        lab.log(`churn: hobble (${availableParallelism()} CPUs)`);
        await using hobbler = new Hobbler();
        const parts: [number, number][] = [];
        const endNs = monotonicNs() + seconds * 1e9;
        while (monotonicNs() < endNs) {
          const beganNs = monotonicNs();
          const targets = herd.pids.map((pid) => hobbler.add(pid, { run: cycle.runMs, stop: cycle.stopMs }));
          await Promise.all(targets.map(({ ready }) => ready));
          await Promise.all(targets.map((target) => target.release()));
          parts.push([targets.length, (monotonicNs() - beganNs) / 1e9]);
        }
        lab.found.observations.push({
          scenario: "churn",
          point: `${count} idle`,
          count,
          contestant: "hobble",
          round,
          metrics: { churn: { kind: "ratio", parts } },
        });
      }
    } finally {
      await herd.end();
    }
  },
};
