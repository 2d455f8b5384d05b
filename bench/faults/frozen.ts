/** The owner of frozen cgroups dies: all are thawed, and the groups that it made are gone. Skipped where no group of v2 can be made. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Herd } from "../herd.js";
import type { Lengths } from "./lengths.js";
import { Owner } from "./owner-process.js";
import type { Verdicts } from "./verdicts.js";

const lifetimeSeconds = 3600;
const groups = 10;
const processesEach = 10;
const patienceMs = 5000;

export async function frozenGroups({ trials }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading(
    `SIGKILL of the owner of ${groups} frozen cgroups of ${processesEach} processes each, and of ${groups} made for processes`,
  );
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
  const made: string[] = [];
  if (mount === undefined) {
    verdicts.skip("cgroup v2 is not mounted here");
    return;
  }
  const herd = await Herd.start({
    count: groups * (processesEach + 1),
    kind: "idle",
    lifetimeSeconds,
    shortestGapMs: 1,
    userId: undefined,
  });
  try {
    const loose = herd.pids.slice(groups * processesEach);
    for (let group = 0; group < groups; group++) {
      const path = join(mount, `hobble-faults-${process.pid}-${group}`);
      mkdirSync(path);
      made.push(path);
      for (const pid of herd.pids.slice(group * processesEach, (group + 1) * processesEach)) {
        writeFileSync(join(path, "cgroup.procs"), String(pid));
      }
    }
    let left = 0;
    let slowestMs = 0;
    for (let i = 0; i < trials; i++) {
      // Every other one while it is still moving processes into groups, which it stops for that.
      const early = i % 2 === 1;
      const cycle = { run: "10ms", stop: "250ms", tree: false };
      const owner = await Owner.start({ pids: loose, cgroups: made, ...cycle, via: "freeze", early, hobbler: {} });
      const watched = [...made, ...loose.map((pid) => join(mount, groupOf(pid)))];
      await sleep(Math.random() * 300);
      owner.signal("SIGKILL");
      const began = performance.now();
      const astray = (pid: number) => stateOf(pid) === "T" || groupOf(pid).includes("hobble-");
      while (watched.some(frozen) || loose.some(astray)) {
        if (performance.now() - began > patienceMs) break;
        await sleep(1);
      }
      const tookMs = performance.now() - began;
      slowestMs = Math.max(slowestMs, tookMs);
      if (tookMs > patienceMs) left++;
      await owner.gone();
    }
    verdicts.tell(
      left === 0,
      `${trials} times, left frozen, stopped or in a group of ours ${left} times; done after at most ${slowestMs.toFixed(1)} ms`,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== "mkdir") throw error;
    verdicts.skip(`no group can be made: ${(error as Error).message}`);
  } finally {
    await herd.end();
    await removeAll(made);
  }
}

const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0];
const groupOf = (pid: number) => /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";

function frozen(group: string): boolean {
  const file = join(group, "cgroup.freeze");
  try {
    return existsSync(file) && readFileSync(file, "utf8").startsWith("1");
  } catch {
    return false;
  }
}

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    for (let round = 0; round < 100; round++) {
      try {
        rmdirSync(path);
        break;
      } catch {
        await sleep(20);
      }
    }
  }
}
