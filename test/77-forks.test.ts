/** Trees that fork: a new child is a member at once where the kernel tells of it, and a fork bomb neither escapes nor keeps the engine busy. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Hobbler, type HobblerOptions, type Target } from "../src/index.js";
import { canFreeze, processesIn, unifiedGroupOf, unifiedMount } from "./helpers/cgroups.js";
import { hobble } from "./helpers/cli.js";
import { exitOf, start, stateOf, until } from "./helpers/processes.js";

/** A shell that becomes 2^(depth+1) - 1 processes when told to, which end after `seconds`. Nobody forks more than twice. */
const bomb = (depth: number, seconds: number) =>
  start([
    "sh",
    "-c",
    `bomb() { if [ $1 -eq 0 ]; then exec sleep ${seconds}; fi; bomb $(($1 - 1)) & bomb $(($1 - 1)) & wait; }; read go; bomb ${depth}`,
  ]);

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}

/** Descendants are not ended with the process that the test started. */
function endMembers(target: Target): void {
  onTestFinished(() => {
    for (const pid of target.members) tryKill(pid);
  });
}

function hobbler(options: HobblerOptions): Hobbler {
  const made = new Hobbler(options);
  onTestFinished(() => made.close());
  return made;
}

const told = await (async () => {
  // Whether the kernel tells of forks here is for the doctor to say.
  const doctor = await hobble(["doctor", "--json"]);
  await doctor.exit;
  return !/"process events"[^}]*"(lacking|missing)"/.test(doctor.stdout().replaceAll("\n", " "));
})();

async function hearsOfForks(hobbling: Hobbler): Promise<void> {
  await until(() => hobbling.stats().processEvents, "the kernel tells of forks");
}

test.skipIf(!told)("a child is a member as soon as it is born (skipped where the kernel does not tell of forks)", async () => {
  const parent = await start(["sh", "-c", "read go; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 100 & done; wait"]);
  const hobbling = hobbler({});
  const target = hobbling.add({ tree: parent.pid }, { run: "20ms", stop: "20ms" });
  endMembers(target);
  await target.ready;
  await hearsOfForks(hobbling);
  parent.child.stdin?.write("go\n");
  await until(() => target.members.length === 11, "all children are members");
  expect(hobbling.stats().birthDelay.count).toBeGreaterThan(0);
  expect(hobbling.stats().birthDelay.count).toBeLessThanOrEqual(10);
  await until(() => target.members.every((pid) => stateOf(pid) === "T"), "all of them are stopped");
});

test.skipIf(!told)("so is a grandchild whose parent has died (skipped likewise)", async () => {
  const parent = await start(["sh", "-c", "read go; for i in 1 2 3 4 5; do (setsid sleep 100 & exit); done; wait; exec sleep 100"]);
  const hobbling = hobbler({});
  const target = hobbling.add({ tree: parent.pid }, { run: "30ms", stop: "10ms" });
  endMembers(target);
  await target.ready;
  await hearsOfForks(hobbling);
  parent.child.stdin?.write("go\n");
  await until(() => target.members.length === 6, "the daemons are members");
  await sleep(100);
  expect(target.members).toHaveLength(6);
});

test("without news of forks /proc is read again and again", async () => {
  const parent = await start(["sh", "-c", "read go; for i in 1 2 3; do sleep 100 & done; wait"]);
  const hobbling = hobbler({ processEvents: false });
  const target = hobbling.add({ tree: parent.pid }, { run: "20ms", stop: "20ms" });
  endMembers(target);
  await target.ready;
  parent.child.stdin?.write("go\n");
  await until(() => target.members.length === 4, "all children are members");
  expect(hobbling.stats()).toMatchObject({ processEvents: false, birthDelay: { count: 0 } });
});

/** What the engine used, as a share of one CPU, since the first call. */
function engineShare(hobbling: Hobbler): () => number {
  const before = hobbling.stats();
  return () => {
    const now = hobbling.stats();
    return (now.cpuNs + now.scoutCpuNs - before.cpuNs - before.scoutCpuNs) / (now.elapsedNs - before.elapsedNs);
  };
}

async function crowdedBy(hobbling: Hobbler, target: Target): Promise<number> {
  return new Promise((resolve) => {
    hobbling.on("crowded", (event) => {
      if (event.target === target) resolve(event.members);
    });
  });
}

test.skipIf(!canFreeze)(
  "a bomb of 2,000 processes is frozen as a cgroup (skipped where none can be made)",
  async () => {
    // Its leaves live longer than it takes to grow, whatever a fork costs here.
    const shell = await bomb(10, 8);
    const hobbling = hobbler({ maxMembers: 300 });
    const target = hobbling.add({ tree: shell.pid }, { run: "20ms", stop: "30ms" });
    await target.ready;
    const crowded = crowdedBy(hobbling, target);
    const share = engineShare(hobbling);
    shell.child.stdin?.write("go\n");
    expect(await crowded).toBeGreaterThan(300);
    await until(() => target.stats()?.via === "freeze", "it is frozen");
    const group = join(unifiedMount as string, unifiedGroupOf(shell.pid) ?? "");
    await until(() => processesIn(group).length > 1000, "the rest of it is born into the group");
    expect(share()).toBeLessThan(0.8);
    await target.release();
    await until(() => !existsSync(group), "those that were about to exit have left the group");
    expect(await exitOf(shell)).toBe(0);
  },
  90_000,
);

test("where it must not be frozen no more members are taken, and everything runs at the end", async () => {
  const shell = await bomb(6, 1);
  const hobbling = hobbler({ maxMembers: 20 });
  const target = hobbling.add({ tree: shell.pid, via: "signal" }, { run: "20ms", stop: "20ms" });
  await target.ready;
  const crowded = crowdedBy(hobbling, target);
  shell.child.stdin?.write("go\n");
  expect(await crowded).toBeGreaterThan(20);
  expect(target.members.length).toBeLessThanOrEqual(20);
  await target.release();
  expect(await exitOf(shell)).toBe(0);
});
