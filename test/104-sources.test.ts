/** What every source promises, tried on real processes. */
import { once } from "node:events";
import { accessSync, constants, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pidFile } from "../src/discovery/pid-file.js";
import { ProcSource } from "../src/discovery/proc.js";
import type { ProcessInfo } from "../src/discovery/process-info.js";
import { processName } from "../src/discovery/process-name.js";
import { PsListSource } from "../src/discovery/ps-list.js";
import type { ProcessSource, Source } from "../src/discovery/source.js";
import { identify } from "../src/identify.js";
import { childrenOf, end, start, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

const canDropCaches = (() => {
  try {
    accessSync("/proc/sys/vm/drop_caches", constants.W_OK);
    return process.geteuid?.() === 0;
  } catch {
    return false;
  }
})();

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hobble-sources-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Makes the source say that these processes are there, where somebody has to. */
type Announce = (pids: readonly number[]) => Promise<void>;

const sources: { name: string; make: () => { source: Source; announce: Announce } }[] = [
  { name: "proc", make: () => ({ source: new ProcSource(["user", "executable", "commandLine"]), announce: async () => {} }) },
  { name: "ps-list", make: () => ({ source: new PsListSource(), announce: async () => {} }) },
  { name: "process name", make: () => ({ source: processName(/^sleep$/), announce: async () => {} }) },
  {
    name: "PID file",
    make: () => ({
      source: pidFile(join(folder, "pids")),
      announce: (pids) => writeFile(join(folder, "pids"), pids.map((pid) => `${pid}\n`).join("")),
    }),
  },
];

describe.each(sources)("$name", ({ make }) => {
  test("lists a process while it runs, once, and not when it has gone", async () => {
    const { source, announce } = make();
    const sleeper = await startSleeper();
    await announce([sleeper.pid]);
    const listed = (await source.list()).filter(({ pid }) => pid === sleeper.pid);
    expect(listed).toHaveLength(1);
    const [candidate] = listed;
    const identity = identify(sleeper.pid);
    if (candidate?.startTime !== undefined) expect(candidate.startTime).toBe(identity?.startTime);
    if (candidate?.inode !== undefined) expect(candidate.inode).toBe(identity?.inode);
    await end(sleeper);
    await announce([]);
    expect((await source.list()).some(({ pid }) => pid === sleeper.pid)).toBe(false);
  });

  test("lists no PID twice, and neither kernel threads nor PIDs below 1", async () => {
    const { source, announce } = make();
    await announce([process.pid]);
    const pids = (await source.list()).map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(pids.length);
    expect(pids.every((pid) => pid > 0)).toBe(true);
    expect(pids).not.toContain(2); // kthreadd
  });
});

const whole: { name: string; make: () => ProcessSource }[] = [
  { name: "proc", make: () => new ProcSource(["user", "groups", "executable", "commandLine", "cgroup"]) },
  { name: "ps-list", make: () => new PsListSource() },
];

async function found(source: ProcessSource, pid: number): Promise<ProcessInfo> {
  await source.list();
  const process = source.processes.get(pid);
  if (process === undefined) throw new Error(`process ${pid} was not found`);
  return process;
}

describe.each(whole)("$name tells what rules ask for", ({ make }) => {
  test("who a process is", async () => {
    const sleeper = await startSleeper();
    const source = make();
    const process_ = await found(source, sleeper.pid);
    const identity = identify(sleeper.pid);
    expect(process_).toMatchObject({
      pid: sleeper.pid,
      name: "sleep",
      parentPid: identity?.parentPid,
      processGroup: identity?.processGroup,
      session: identity?.session,
      uid: process.getuid?.(),
      commandLine: "sleep 100",
      threads: 1,
      state: "S",
    });
    expect(process_.executable).toMatch(/\/(sleep|coreutils)$/);
    expect(process_.user).toBe(process.getuid?.() === 0 ? "root" : process.env.USER);
    expect(process_.residentBytes).toBeGreaterThanOrEqual(0);
  });

  test("CPU time grows from scan to scan, and the process stays the same object", async () => {
    const burner = await startBurner();
    const source = make();
    const before = await found(source, burner.pid);
    const { cpuNs, readAtNs, version } = before;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const after = await found(source, burner.pid);
    expect(after).toBe(before);
    expect(after.cpuNs - cpuNs).toBeGreaterThan(10e6);
    expect(after.readAtNs).toBeGreaterThan(readAtNs);
    expect(after.version).toBe(version);
  });

  test("a program that calls exec has another name, and a new version", async () => {
    const shell = await start(["sh", "-c", "read line; exec sleep 100"]);
    await until(() => stateOf(shell.pid) === "S", "it waits");
    const source = make();
    const before = await found(source, shell.pid);
    expect(before.name).toBe("sh");
    const { version } = before;
    shell.child.stdin?.write("\n");
    // The name changes first, in the middle of exec; and the clock, by which a scan sees that it worked, is up to date when it waits again.
    await until(() => readFileSync(`/proc/${shell.pid}/cmdline`, "latin1").startsWith("sleep"), "it is another program");
    await until(() => stateOf(shell.pid) === "S", "it waits again");
    const after = await found(source, shell.pid);
    expect(after).toBe(before);
    expect(after).toMatchObject({ name: "sleep", commandLine: "sleep 100" });
    expect(after.version).toBeGreaterThan(version);
  });

  test("a child whose parent dies has another parent", async () => {
    const shell = await start(["sh", "-c", "sleep 100 & wait"]);
    await until(() => childrenOf(shell.pid).length === 1, "the child runs");
    const [pid = 0] = childrenOf(shell.pid);
    const source = make();
    expect((await found(source, pid)).parentPid).toBe(shell.pid);
    await end(shell);
    try {
      expect((await found(source, pid)).parentPid).not.toBe(shell.pid);
    } finally {
      process.kill(pid, "SIGKILL");
    }
  });
});

describe("proc", () => {
  test("tells groups and cgroup, and children's time when they were waited for", async () => {
    const source = new ProcSource(["groups", "cgroup"]);
    const burn =
      "import os,time\npid=os.fork()\nwhile pid==0 and time.process_time()<0.1: pass\nif pid==0: os._exit(0)\nos.waitpid(pid,0)\nprint(flush=True)\ntime.sleep(100)";
    const parent = await start(["python3", "-c", burn]);
    await once(parent.child.stdout ?? parent.child, "data");
    const info = await found(source, parent.pid);
    expect(info.waitedNs).toBeGreaterThanOrEqual(80e6);
    expect(info.groups.split(",")).toContain("root");
    expect(info.cgroup).toMatch(/^\//);
  });

  test("looks at single processes without a pass over all", async () => {
    const source = new ProcSource(["commandLine"]);
    await source.list();
    const sleeper = await startSleeper();
    const [info] = await source.look([sleeper.pid]);
    expect(info).toMatchObject({ pid: sleeper.pid, commandLine: "sleep 100" });
    expect(source.processes.get(sleeper.pid)).toBe(info);
  });

  test.runIf(canDropCaches)("knows a process again when the kernel has forgotten its folder in /proc", async () => {
    const sleeper = await startSleeper();
    const source = new ProcSource(["user", "commandLine"]);
    const before = await found(source, sleeper.pid);
    const { version } = before;
    const folder = statSync(`/proc/${sleeper.pid}`).ino;
    await until(() => {
      writeFileSync("/proc/sys/vm/drop_caches", "2");
      return statSync(`/proc/${sleeper.pid}`).ino !== folder;
    }, "the folder has another number");
    expect(await found(source, sleeper.pid)).toBe(before);
    expect(before.version).toBe(version);
  });

  test("may be told to read other texts; what is known stays", async () => {
    const sleeper = await startSleeper();
    const source = new ProcSource([]);
    const before = await found(source, sleeper.pid);
    expect(before.commandLine).toBe("");
    source.read(["commandLine"]);
    const after = await found(source, sleeper.pid);
    expect(after).toBe(before);
    expect(after.commandLine).toBe("sleep 100");
    await end(sleeper);
    await source.list();
    expect(source.processes.has(sleeper.pid)).toBe(false);
  });

  test("a later pass reads only a few of the processes again", async () => {
    const source = new ProcSource(["user"]);
    await source.list();
    const { read: first, processes } = source.figures;
    expect(first).toBeGreaterThanOrEqual(processes);
    await source.list();
    await source.list();
    expect(source.figures.read).toBeLessThan(first);
  });
});
