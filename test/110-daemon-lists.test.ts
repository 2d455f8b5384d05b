/** The tarpit's own interface: a file or a folder with PIDs that somebody else keeps. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scratchFolder, startDaemon } from "./helpers/daemon.js";
import { childrenOf, end, observe, runsOn, start, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

const tarpit = `
[daemon]
scan = "200ms"
[[rule]]
name = "tarpit"
match = { cgroupProcs = "FOLDER/tarpit" }
hobble = { run = "10ms", stop = "50ms" }
`;

async function tarpitOf(pids: readonly number[]): Promise<{ folder: string; list: (pids: readonly number[]) => Promise<void> }> {
  const folder = await scratchFolder();
  await mkdir(join(folder, "tarpit"));
  const list = (listed: readonly number[]) => writeFile(join(folder, "tarpit/cgroup.procs"), listed.map((pid) => `${pid}\n`).join(""));
  await list(pids);
  return { folder, list };
}

describe("a folder with cgroup.procs", () => {
  test("who is listed is hobbled, who leaves the list runs freely, and nobody else is touched", async () => {
    const [listed, other] = await Promise.all([startSleeper(), startSleeper()]);
    const { folder, list } = await tarpitOf([listed.pid]);
    const { daemon, decided, decisions } = await startDaemon(tarpit, folder);
    await decided("hobbled", listed.pid);
    expect((await observe(listed.pid, 100)).get("T")).toBeGreaterThan(20);
    expect(await runsOn(other.pid)).toBe(true);
    expect(daemon.targets().map(({ pid, by, kind }) => [pid, by, kind])).toEqual([[listed.pid, "tarpit", "process"]]);
    await list([]);
    await decided("released", listed.pid);
    expect(await runsOn(listed.pid)).toBe(true);
    expect(daemon.targets()).toEqual([]);
    expect(decisions("hobbled")).toHaveLength(1);
  });

  test("one that dies is dropped, and its stale line catches no stranger", async () => {
    const listed = await startSleeper();
    const { folder } = await tarpitOf([listed.pid]);
    const { daemon, decided } = await startDaemon(tarpit, folder);
    await decided("hobbled", listed.pid);
    await end(listed);
    await decided("exited", listed.pid);
    expect(daemon.targets()).toEqual([]);
  });

  test("related processes are hobbled as a tree under the topmost", async () => {
    const shell = await start(["sh", "-c", "sleep 100 & sleep 100 & wait"], {});
    await until(() => childrenOf(shell.pid).length === 2, "both children run");
    const children = childrenOf(shell.pid);
    const { folder } = await tarpitOf([...children, shell.pid]);
    const { daemon, decided } = await startDaemon(tarpit, folder);
    await decided("hobbled", shell.pid);
    const targets = daemon.targets();
    expect(targets.map(({ pid, kind }) => [pid, kind])).toEqual([[shell.pid, "tree"]]);
    await until(() => daemon.target(shell.pid)?.members === 3, "the children belong to it");
    for (const child of children) {
      const explanation = await daemon.explain(child);
      expect(explanation.target?.pid).toBe(shell.pid);
      expect(explanation.rules).toMatchObject([{ rule: "tarpit", outcome: "applies" }]);
    }
  });

  test("a related process that is not listed is never touched", async () => {
    const shell = await start(["sh", "-c", "sleep 100 & sleep 100 & wait"], {});
    await until(() => childrenOf(shell.pid).length === 2, "both children run");
    const [first = 0, second = 0] = childrenOf(shell.pid);
    const { folder } = await tarpitOf([shell.pid, first]);
    const { daemon, decided } = await startDaemon(tarpit, folder);
    await decided("hobbled", first);
    await decided("hobbled", shell.pid);
    expect(await runsOn(second)).toBe(true);
    expect(daemon.targets().map(({ pid, kind }) => [pid, kind])).toEqual(
      [
        [shell.pid, "process"],
        [first, "process"],
      ].sort((a, b) => Number(a[0]) - Number(b[0])),
    );
  });

  test("a list that cannot be read keeps what it listed, and says so once", async () => {
    const listed = await startSleeper();
    const { folder, list } = await tarpitOf([listed.pid]);
    const { decided, decisions, daemon } = await startDaemon(tarpit, folder);
    await decided("hobbled", listed.pid);
    await writeFile(join(folder, "tarpit/cgroup.procs"), "half of a li");
    await decided("warning");
    const { scans } = daemon.stats().scan;
    await until(() => daemon.stats().scan.scans > scans + 3, "some scans more");
    expect(decisions("warning")).toHaveLength(1);
    expect(decisions("released")).toEqual([]);
    await list([]);
    await decided("released", listed.pid);
    expect(await runsOn(listed.pid)).toBe(true);
  });
});

test("200 sleeping processes are hobbled within one scan, and run freely when they leave the list", async () => {
  const herd = await start([
    "python3",
    "-c",
    "import os,sys,time,ctypes\npids=[]\nfor i in range(200):\n  pid=os.fork()\n  if pid==0:\n    ctypes.CDLL(None).prctl(1,9)\n    time.sleep(300)\n    os._exit(0)\n  pids.append(pid)\nprint(*pids,flush=True)\ntime.sleep(300)",
  ]);
  let printed = "";
  herd.child.stdout?.on("data", (data) => {
    printed += data;
  });
  await until(() => printed.endsWith("\n"), "all have started");
  const pids = printed.trim().split(" ").map(Number);
  const { folder, list } = await tarpitOf([]);
  const { daemon, decisions } = await startDaemon(tarpit, folder);
  await list(pids);
  await until(() => decisions("hobbled").length === 200, "all are hobbled");
  expect(new Set(daemon.targets().map(({ pid }) => pid))).toEqual(new Set(pids));
  expect(daemon.target(herd.pid)).toBeUndefined();
  await list([]);
  await until(() => decisions("released").length === 200, "all are released");
  for (const pid of pids.slice(0, 20)) expect(stateOf(pid)).not.toBe("T");
});

test("a loop that takes a while takes many times as long in the tarpit", async () => {
  const { folder, list } = await tarpitOf([]);
  const burner = await startBurner();
  const { decided, daemon } = await startDaemon(tarpit.replace('stop = "50ms"', 'stop = "250ms"'), folder);
  await list([burner.pid]);
  await decided("hobbled", burner.pid);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const target = daemon.target(burner.pid);
  expect(target?.dutyAchieved).toBeGreaterThan(0.01);
  expect(target?.dutyAchieved).toBeLessThan(0.1);
});
