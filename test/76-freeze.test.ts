/** Processes and trees that are frozen in a cgroup made for them, in place of being stopped with signals. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { canFreeze, isFrozen, processesIn, TestGroup, unifiedGroupOf, unifiedMount } from "./helpers/cgroups.js";
import { hobble, hobbles, run } from "./helpers/cli.js";
import { hobbleWords, result } from "./helpers/exec.js";
import {
  childrenOf,
  cpuSecondsOf,
  exitOf,
  observe,
  runsOn,
  start,
  startBurner,
  startSleeper,
  stateOf,
  until,
} from "./helpers/processes.js";

const mount = unifiedMount as string;
const cycle = { run: "10ms", stop: "40ms" } as const;
const mostlyStopped = ["--run", "1ms", "--stop", "5s"] as const;

function hobbler(): Hobbler {
  const made = new Hobbler();
  onTestFinished(() => made.close());
  return made;
}

const groupPathOf = (pid: number) => join(mount, unifiedGroupOf(pid) ?? "");

describe.skipIf(!canFreeze)("via freeze (skipped where no group of v2 can be made)", () => {
  test("a tree is moved into a group below its own, and back", async () => {
    const home = new TestGroup(mount);
    const parent = await start(["sh", "-c", "sleep 10 & sleep 0.3; sleep 10 & wait"]);
    home.admit(parent.pid);
    for (const child of childrenOf(parent.pid)) home.admit(child);
    const target = hobbler().add({ tree: parent.pid, via: "freeze" }, cycle);
    await target.ready;
    const own = groupPathOf(parent.pid);
    expect(own.startsWith(`${home.path}/hobble-`)).toBe(true);
    await until(() => childrenOf(parent.pid).length === 2, "it has forked again");
    expect(processesIn(own).toSorted()).toEqual([parent.pid, ...childrenOf(parent.pid)].toSorted());
    expect(target.stats()).toMatchObject({ kind: "tree", via: "freeze", pid: parent.pid });
    expect((await observe(parent.pid, 100)).get("T")).toBeUndefined();
    await until(() => isFrozen(own), "it is frozen");
    await target.release();
    expect(existsSync(own)).toBe(false);
    expect(home.processes).toHaveLength(3);
  });

  test("a process does not run although it is sent SIGCONT all the time", async () => {
    const burner = await startBurner();
    const target = hobbler().add({ pid: burner.pid, via: "freeze" }, { run: "10ms", stop: "90ms" });
    await target.ready;
    await start(["sh", "-c", `while kill -CONT ${burner.pid}; do :; done`]);
    const began = performance.now();
    const before = cpuSecondsOf(burner.pid);
    await sleep(2000);
    expect((cpuSecondsOf(burner.pid) - before) / ((performance.now() - began) / 1000)).toBeLessThan(0.15);
    await target.release();
    expect(await runsOn(burner.pid)).toBe(true);
  });

  test("ends with the last process, and its group with it", async () => {
    const sleeper = await startSleeper();
    const target = hobbler().add({ pid: sleeper.pid, via: "freeze" }, cycle);
    await target.ready;
    const own = groupPathOf(sleeper.pid);
    expect(own).toContain("hobble-");
    process.kill(sleeper.pid, "SIGKILL");
    expect(await target.ended).toBe("exit");
    expect(existsSync(own)).toBe(false);
  });

  test("exec gives the result and the exit status of the command", async () => {
    const script = "for i in 1 2 3 4 5 6 7 8; do sh -c 'exit 0'; done; echo done; exit 7";
    const { exit, stdout, stderr } = await result([
      ...hobbleWords,
      "exec",
      "--freeze",
      "--run",
      "5ms",
      "--stop",
      "5ms",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect({ exit, stdout, stderr }).toEqual({ exit: 7, stdout: "done\n", stderr: "" });
  });

  test("an owner that is killed leaves nothing frozen: the guardian thaws it and undoes the group", async () => {
    const sleeper = await startSleeper();
    const group = new TestGroup(mount);
    const grouped = await startSleeper();
    group.admit(grouped.pid);
    const running = await hobble(["attach", sleeper.pid, "--cgroup", group.path, "--freeze", ...mostlyStopped, "--json"]);
    await hobbles(running, sleeper.pid);
    await hobbles(running, 0);
    const own = groupPathOf(sleeper.pid);
    expect(own).toContain("hobble-");
    await until(() => isFrozen(own) && group.frozen, "both are frozen");
    process.kill(running.pid, "SIGKILL");
    await until(() => !group.frozen && !existsSync(own), "the guardian has thawed both");
    expect(unifiedGroupOf(sleeper.pid)).toBe(unifiedGroupOf(process.pid));
  });

  test("what is left frozen when the guardian is killed too, release thaws", async () => {
    const directory = `/dev/shm/hobble-test-${process.pid}-${Date.now()}`;
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const sleeper = await startSleeper();
    const group = new TestGroup(mount);
    group.admit((await startSleeper()).pid);
    const flags = ["--freeze", "--guardian", "off", "--runtime-dir", directory, ...mostlyStopped, "--json"];
    const running = await hobble(["attach", sleeper.pid, "--cgroup", group.path, ...flags]);
    await hobbles(running, sleeper.pid);
    await hobbles(running, 0);
    const own = groupPathOf(sleeper.pid);
    await until(() => isFrozen(own) && group.frozen, "both are frozen");
    process.kill(running.pid, "SIGKILL");
    await exitOf(running);
    expect(group.frozen).toBe(true);
    const released = await hobble(["release", "--runtime-dir", directory]);
    expect(await released.exit).toBe(0);
    expect(released.stdout()).toContain(group.path);
    expect(group.frozen).toBe(false);
    expect(existsSync(own)).toBe(false);
    expect(await runsOn(sleeper.pid)).toBe(true);
  });
});

test.skipIf(process.getuid?.() !== 0)("where no group can be made it goes on with signals, and says so (skipped unless root)", async () => {
  const user = ["setpriv", "--reuid", "65534", "--clear-groups", "--"];
  const sleeper = await start([...user, "setpriv", "--pdeathsig", "KILL", "--", "sleep", "100"]);
  await sleep(200);
  const directory = `/dev/shm/hobble-test-${process.pid}-${Date.now()}`;
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const flags = ["--freeze", "--run", "5ms", "--stop", "50ms", "--runtime-dir", directory, "--json"];
  const running = await run([...user, ...hobbleWords, "attach", String(sleeper.pid), ...flags]);
  await hobbles(running, sleeper.pid);
  expect(running.events().filter(({ event }) => event === "unfrozen")).toMatchObject([{ pid: sleeper.pid }]);
  await until(() => stateOf(sleeper.pid) === "T", "it is stopped");
});
