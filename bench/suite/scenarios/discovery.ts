/** Finding out who is running, by the ways there are. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { identify } from "hobble";
import psList from "ps-list";
// Not public, but what the daemon looks with.
import { ProcSource } from "../../../dist/discovery/proc.js";
import { monotonicNs } from "../../clock.js";
import { Herd } from "../../herd.js";
import type { Measurement } from "../../statistics/measurement.js";
import type { BenchScenario } from "../bench-lab.js";

const count = 1000;
const looks = 5;

/** What ps-list tells too. */
const texts = ["user", "executable", "commandLine"] as const;
const kept = new ProcSource([...texts]);

/** Each gives the number of processes that it saw. */
const ways: Record<string, () => Promise<number> | number> = {
  "ps-list": async () => (await psList()).length,
  "ps -eo": async () => (await promisify(execFile)("ps", ["-eo", "pid,ppid,comm"], { maxBuffer: 1 << 24 })).stdout.split("\n").length,
  "/proc in Node": () => numericNames().filter((pid) => readStat(pid) !== undefined).length,
  "native scan": async () => (await new ProcSource([...texts]).list()).length,
  // As the daemon does: what has not changed is not read again.
  "native scan, again": async () => (await kept.list()).length,
  "native identify": () => numericNames().filter((pid) => identify(Number(pid)) !== undefined).length,
};

function numericNames(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}

export const discovery: BenchScenario = {
  name: "discovery",
  about: "one look at all processes: ps-list, /proc, native",
  async run(lab) {
    const herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
    try {
      for (let round = 0; round < lab.effort.rounds; round++) {
        for (const [way, look] of Object.entries(ways)) {
          lab.log(`discovery: ${way}`);
          if (way === "native scan, again") await look();
          const parts: number[] = [];
          for (let i = 0; i < looks; i++) {
            const beganNs = monotonicNs();
            const seen = await look();
            if (seen < count) throw new Error(`${way} saw ${seen} processes of ${count}`);
            parts.push(monotonicNs() - beganNs);
          }
          const scan: Measurement = { kind: "median", parts };
          lab.found.observations.push({
            scenario: "discovery",
            point: "1,000 processes",
            count,
            contestant: way,
            round,
            metrics: { scan },
          });
        }
      }
    } finally {
      await herd.end();
    }
  },
};
