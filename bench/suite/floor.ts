/** The floor of what signals cost: the bare loop at the same points, watched as the contestants are. */
import { bareloop } from "../contestants/bareloop.js";
import { Herd } from "../herd.js";
import { type BenchScenario, cycle } from "./bench-lab.js";

const priority = 50;

const floorId = "bare loop";

export const floor: BenchScenario = {
  name: "floor",
  about: "what the bare system calls cost",
  async run(lab) {
    const counts = [...lab.effort.idle, ...(lab.effort.name === "full" ? [10_000] : [])];
    for (const count of counts) {
      const herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 120, shortestGapMs: 1, userId: undefined });
      try {
        for (let round = 0; round < lab.effort.rounds; round++) {
          lab.log(`floor: ${count.toLocaleString("en")} idle`);
          const { seconds } = lab.effort;
          const watched = lab.signals.herdKind("idle") !== undefined;
          if (watched) lab.signals.begin(herd, 2 * count * (seconds / 0.26 + 4));
          const { cpuNs, elapsedNs, signals } = await bareloop(herd.pids, cycle, seconds, lab.root ? priority : 0);
          if (watched) await lab.signals.end(herd);
          lab.found.observations.push({
            scenario: "windows",
            point: `${count.toLocaleString("en")} idle`,
            count,
            contestant: floorId,
            round,
            metrics: { cpu: { kind: "ratio", parts: [[cpuNs, elapsedNs]] }, perSignal: { kind: "ratio", parts: [[cpuNs, signals]] } },
          });
        }
      } finally {
        await herd.end();
      }
    }
  },
};
