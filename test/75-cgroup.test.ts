/** A cgroup as a target: frozen by one write for all its processes, or its members stopped with signals. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { canFreeze, canFreezeLegacy, freezerMount, TestGroup, unifiedMount } from "./helpers/cgroups.js";
import {
  childrenOf,
  cpuSecondsOf,
  observe,
  runsOn,
  type Started,
  start,
  startBurner,
  startSleeper,
  stateOf,
  until,
} from "./helpers/processes.js";

const cycle = { run: "10ms", stop: "40ms" } as const;
const mostlyStopped = { run: "1ms", stop: "2s" } as const;

function hobbler(): Hobbler {
  const made = new Hobbler({ maxShare: 1 });
  onTestFinished(() => made.close());
  return made;
}

async function groupOf(...processes: Started[]): Promise<TestGroup> {
  const group = new TestGroup(unifiedMount as string);
  for (const { pid } of processes) group.admit(pid);
  return group;
}

describe.skipIf(!canFreeze)("a cgroup of v2 (skipped where none can be made)", () => {
  test("is frozen and thawed, without its processes being stopped by signals", async () => {
    const burner = await startBurner();
    const group = await groupOf(burner);
    const target = hobbler().add({ cgroup: group.path }, cycle);
    await target.ready;
    const before = cpuSecondsOf(burner.pid);
    const states = await observe(burner.pid, 800);
    expect(states.get("T")).toBeUndefined();
    const stats = target.stats();
    expect(stats).toMatchObject({ kind: "cgroup", via: "freeze", members: 1, pid: 0 });
    expect(target.cgroup).toBe(group.path);
    expect(target.members).toEqual([burner.pid]);
    expect(stats?.cycles).toBeGreaterThan(5);
    expect(stats?.dutyAchieved).toBeGreaterThan(0.1);
    expect(stats?.dutyAchieved).toBeLessThan(0.4);
    expect(cpuSecondsOf(burner.pid)).toBeGreaterThan(before);
    await target.release();
    expect(group.frozen).toBe(false);
  });

  test("uses about its duty", async () => {
    const burner = await startBurner();
    const group = await groupOf(burner);
    const target = hobbler().add({ cgroup: group.path, via: "freeze" }, { run: "20ms", stop: "80ms" });
    await target.ready;
    const began = performance.now();
    const before = cpuSecondsOf(burner.pid);
    await sleep(3000);
    const share = (cpuSecondsOf(burner.pid) - before) / ((performance.now() - began) / 1000);
    expect(share).toBeLessThan(0.26);
    expect(target.stats()?.cpuNs).toBeGreaterThan(1e6);
  });

  test("takes with it whoever is born into it", async () => {
    const parent = await start(["sh", "-c", "sleep 0.5; sleep 10 & wait"]);
    const group = await groupOf(parent);
    const target = hobbler().add({ cgroup: group.path }, { run: "20ms", stop: "20ms" });
    await target.ready;
    await until(() => childrenOf(parent.pid).length === 1 && group.processes.length === 2, "it has forked");
    expect(target.members.toSorted()).toEqual(group.processes.toSorted());
  });

  test("is thawed by release, pause and close", async () => {
    const group = await groupOf(await startSleeper());
    const hobbling = hobbler();
    const target = hobbling.add({ cgroup: group.path }, mostlyStopped);
    await until(() => group.frozen, "it is frozen");
    hobbling.pause();
    expect(group.frozen).toBe(false);
    hobbling.resume();
    await until(() => group.frozen, "it is frozen again");
    await target.release();
    expect(group.frozen).toBe(false);
    hobbling.add({ cgroup: group.path }, mostlyStopped);
    await until(() => group.frozen, "it is frozen again");
    await hobbling.close();
    expect(group.frozen).toBe(false);
  });

  test("ends when the last process has gone", async () => {
    const sleeper = await startSleeper();
    const group = await groupOf(sleeper);
    const target = hobbler().add({ cgroup: group.path }, cycle);
    await target.ready;
    process.kill(sleeper.pid, "SIGKILL");
    expect(await target.ended).toBe("exit");
  });

  test("is refused when it holds ourselves, nothing, or is another one by now", async () => {
    const hobbling = hobbler();
    const refusal = async (selector: { cgroup: string; inode?: bigint; via?: "freeze" }) =>
      hobbling.add(selector, cycle).ready.then(
        () => "none",
        (error) => error.code,
      );
    expect(await refusal({ cgroup: unifiedMount as string })).toBe("ERR_PROTECTED");
    expect(await refusal({ cgroup: "/tmp" })).toBe("EINVAL");
    expect(await refusal({ cgroup: join(unifiedMount as string, "hobble-no-such-group") })).toBe("ESRCH");
    const group = new TestGroup(unifiedMount as string);
    expect(await refusal({ cgroup: group.path })).toBe("ESRCH");
    group.admit((await startSleeper()).pid);
    expect(await refusal({ cgroup: group.path, inode: group.inode + 1n })).toBe("ERR_IDENTITY");
    expect(await refusal({ cgroup: group.path, inode: group.inode })).toBe("none");
    expect(await refusal({ cgroup: group.path })).toBe("ERR_BUSY");
  });

  test("below which a protected program runs is refused", async () => {
    const hobbling = new Hobbler({ protect: ["/bin/sleep", "/usr/bin/sleep"] });
    onTestFinished(() => hobbling.close());
    const above = new TestGroup(unifiedMount as string);
    const below = new TestGroup(above.path, "below");
    const sleeper = await startSleeper();
    below.admit(sleeper.pid);
    await expect(hobbling.add({ cgroup: above.path }, cycle).ready).rejects.toMatchObject({ code: "ERR_PROTECTED", pid: sleeper.pid });
    await below.remove();
  });

  test("is let go when somebody moves a protected program into it", async () => {
    const hobbling = new Hobbler({ protect: ["/bin/sleep", "/usr/bin/sleep"] });
    onTestFinished(() => hobbling.close());
    const group = await groupOf(await startBurner());
    const target = hobbling.add({ cgroup: group.path }, cycle);
    await target.ready;
    const sleeper = await startSleeper();
    group.admit(sleeper.pid);
    expect(await target.ended).toBe("error");
    expect(group.frozen).toBe(false);
    expect(await runsOn(sleeper.pid)).toBe(true);
  });

  test("is known by what a link led to when it was added", async () => {
    const group = await groupOf(await startSleeper());
    const link = `/tmp/hobble-test-link-${process.pid}-${Date.now()}`;
    symlinkSync(group.path, link);
    onTestFinished(async () => (await import("node:fs")).unlinkSync(link));
    const hobbling = hobbler();
    await hobbling.add({ cgroup: link }, cycle).ready;
    await expect(hobbling.add({ cgroup: group.path }, cycle).ready).rejects.toMatchObject({ code: "ERR_BUSY" });
  });

  test("that somebody else froze is left frozen", async () => {
    const group = await groupOf(await startSleeper());
    group.frozen = true;
    const hobbling = hobbler();
    const target = hobbling.add({ cgroup: group.path }, cycle);
    await sleep(300);
    expect(target.state).toBe("held");
    expect(group.frozen).toBe(true);
    group.frozen = false;
    await until(() => target.state !== "held", "it is hobbled again");
    await until(() => group.frozen, "it is frozen again");
  });

  test("by signals: its processes are the members, also those that come later", async () => {
    const group = await groupOf(await startSleeper());
    const target = hobbler().add({ cgroup: group.path, via: "signal" }, { run: "10ms", stop: "90ms" });
    await target.ready;
    expect(target.stats()).toMatchObject({ via: "signal", members: 1 });
    const late = await startSleeper();
    group.admit(late.pid);
    await until(() => target.members.length === 2, "it is a member");
    await until(() => stateOf(late.pid) === "T", "it is stopped");
    expect(group.frozen).toBe(false);
    await target.release();
    expect(await runsOn(late.pid)).toBe(true);
  });
});

describe.skipIf(!canFreezeLegacy)("the freezer of v1 (skipped where it is not mounted)", () => {
  test("freezes and thaws", async () => {
    const burner = await startBurner();
    const group = new TestGroup(freezerMount as string);
    group.admit(burner.pid);
    const target = hobbler().add({ cgroup: group.path }, mostlyStopped);
    await until(() => group.frozen, "it is frozen");
    expect(target.stats()?.via).toBe("freeze");
    await target.release();
    expect(group.frozen).toBe(false);
  });
});
