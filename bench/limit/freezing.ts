/** What it costs the engine to stop and resume a group of processes: one write to its cgroup, or a signal for each of them. In turns. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Hobbler } from "hobble";
import { Herd } from "../herd.js";

export interface FreezingCost {
  via: "freeze" | "signal";
  /** CPU time of the timer threads for one stop and one resume of the whole group. */
  cycleNs: number;
}

const cycle = { run: "10ms", stop: "10ms" } as const;

/** Undefined where no group of v2 can be made. */
export async function measureFreezing(members: number, seconds: number, rounds: number): Promise<FreezingCost[] | undefined> {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
  if (mount === undefined) return undefined;
  const group = join(mount, `hobble-bench-${process.pid}`);
  try {
    mkdirSync(group);
  } catch {
    return undefined;
  }
  const herd = await Herd.start({ count: members, kind: "idle", lifetimeSeconds: 600, shortestGapMs: 1, userId: undefined });
  const costs: FreezingCost[] = [];
  try {
    for (const pid of herd.pids) writeFileSync(join(group, "cgroup.procs"), String(pid));
    for (let round = 0; round < rounds; round++) {
      for (const via of ["freeze", "signal"] as const) costs.push({ via, cycleNs: await costOf(group, via, seconds) });
    }
  } finally {
    await herd.end();
    await sleep(100);
    rmdirSync(group);
  }
  return costs;
}

async function costOf(cgroup: string, via: "freeze" | "signal", seconds: number): Promise<number> {
  await using hobbler = new Hobbler({ foreignStops: "ignore", maxShare: 1 });
  const target = hobbler.add({ cgroup, via }, cycle);
  await target.ready;
  await sleep(200);
  const before = hobbler.stats();
  const cyclesBefore = target.stats()?.cycles ?? 0;
  await sleep(seconds * 1000);
  const after = hobbler.stats();
  return (after.cpuNs - before.cpuNs) / ((target.stats()?.cycles ?? 0) - cyclesBefore);
}
