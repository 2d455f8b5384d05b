import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { expect, test } from "vitest";
import { host } from "../src/native-host.js";
import { end, exitOf, goneProcess, start, startBurner, startSleeper, startTimeOf, stateOf, until } from "./helpers/processes.js";

const { SIGCONT, SIGSTOP, SIGTERM } = constants.signals;

test("identify tells who a process is", async () => {
  const { pid } = await startSleeper();
  await until(() => stateOf(pid) === "S", "it sleeps");
  expect(host().identify(pid)).toMatchObject({
    pid,
    parentPid: process.pid,
    name: "sleep",
    state: "S",
    threads: 1,
    startTime: startTimeOf(pid),
    kernelThread: false,
  });
});

test("identify gives two processes two identities, and one the same twice", async () => {
  const [one, other] = [await startSleeper(), await startSleeper()];
  const inodeOf = (pid: number) => host().identify(pid)?.inode;
  expect(inodeOf(one.pid)).toBe(inodeOf(one.pid));
  if (host().probe().pidfdInode === "") expect(inodeOf(one.pid)).not.toBe(inodeOf(other.pid));
});

test("identify reads a name with spaces and parentheses", async () => {
  const name = "a) R 1 (b";
  const { pid } = await start(["python3", "-c", `open("/proc/self/comm", "w").write("${name}"); input()`]);
  await until(() => host().identify(pid)?.name === name, "the process has taken its name");
  expect(host().identify(pid)?.parentPid).toBe(process.pid);
});

test("identify finds neither a gone process, nor a zombie, nor a thread", async () => {
  expect(host().identify(await goneProcess())).toBeUndefined();
  const thread = readdirSync("/proc/self/task").find((tid) => Number(tid) !== process.pid);
  expect(host().identify(Number(thread))).toBeUndefined();
  const parent = await start(["python3", "-c", "import os; pid = os.fork() or os._exit(0); print(pid, flush=True); input()"]);
  let zombie = "";
  parent.child.stdout?.setEncoding("utf8").on("data", (text) => (zombie += text));
  await until(() => zombie.endsWith("\n") && stateOf(Number(zombie)) === "Z", "a zombie");
  expect(host().identify(Number(zombie))).toBeUndefined();
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 22 + 1, "1", undefined])("identify refuses %s", (pid) => {
  expect(() => host().identify(pid as number)).toThrow(expect.objectContaining({ code: "EINVAL" }));
});

test("signalProcess reaches the process that was identified and no other", async () => {
  const sleeper = await startSleeper();
  const seen = host().identify(sleeper.pid);
  if (seen === undefined) throw new Error("not seen");
  const { pid, startTime, inode } = seen;
  expect(host().signalProcess(pid, startTime, inode, SIGSTOP)).toBe(true);
  await until(() => stateOf(pid) === "T", "stopped");
  expect(host().signalProcess(pid, startTime, inode, SIGCONT)).toBe(true);
  expect(host().signalProcess(pid, startTime + 1, inode, SIGTERM)).toBe(false);
  expect(host().signalProcess(pid, startTime, inode + 1n, SIGTERM)).toBe(inode === 0n);
  expect(stateOf(pid)).not.toBe("gone");
  await end(sleeper);
  expect(host().signalProcess(pid, startTime, inode, SIGTERM)).toBe(false);
});

test("cpuTimeNs grows with the CPU time of a process, and is -1 without one", async () => {
  const { pid } = await startBurner();
  const before = host().cpuTimeNs(pid);
  expect(before).toBeGreaterThanOrEqual(0);
  await until(() => host().cpuTimeNs(pid) > before + 20e6, "20 ms of CPU time");
  expect(host().cpuTimeNs(await goneProcess())).toBe(-1);
});

test("the probe leaves the scheduling class and the limits of this process alone", () => {
  const scheduling = () => readFileSync("/proc/self/sched", "utf8").match(/^(policy|prio|se\.slice).*$/gm);
  const limits = () => readFileSync("/proc/self/limits", "utf8");
  const before = [scheduling(), limits()];
  host().probe();
  expect([scheduling(), limits()]).toEqual(before);
});

test("setParentDeathSignal makes a process end with its parent", async () => {
  const orphan = `import("./dist/native-host.js").then(({ host }) => { host().setParentDeathSignal(9); console.log(process.pid); setTimeout(() => {}, 20000); })`;
  const parent = await start([
    "node",
    "-e",
    `require("child_process").spawn("node", ["-e", ${JSON.stringify(orphan)}], { stdio: "inherit" })`,
  ]);
  let pid = "";
  parent.child.stdout?.setEncoding("utf8").on("data", (text) => (pid += text));
  await until(() => pid.endsWith("\n"), "the grandchild runs");
  parent.child.kill("SIGKILL");
  await exitOf(parent);
  await until(() => ["gone", "Z"].includes(stateOf(Number(pid))), "the grandchild is gone");
});
