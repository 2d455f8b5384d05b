import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Hobbler, parseCpuLimit } from "../src/index.js";
import { host } from "../src/native-host.js";
import { childrenOf, observe, runsOn, start, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

let hobbler: Hobbler;
beforeEach(() => {
  hobbler = new Hobbler();
});
afterEach(() => hobbler.close());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** CPUs that the processes use together, over so long. */
async function shareOf(pids: readonly number[], ms: number): Promise<number> {
  const read = () => pids.reduce((sum, pid) => sum + host().cpuTimeNs(pid), 0);
  const [before, from] = [read(), host().monotonicNs()];
  await sleep(ms);
  return (read() - before) / (host().monotonicNs() - from);
}

describe("a CPU limit", () => {
  test.each([
    [0.05, 0.05],
    [2, 2],
    ["5%", 0.05],
    ["250%", 2.5],
    ["0.05cpus", 0.05],
    ["1cpu", 1],
    [".5%", 0.005],
  ])("%s", (text, cpus) => {
    expect(parseCpuLimit(text)).toBeCloseTo(cpus, 10);
  });

  test.each([0, -1, Number.NaN, 5000, "5 %", "%", "five", "5%%", "1e3cpus", ""])("%s is none", (text) => {
    expect(() => parseCpuLimit(text)).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });

  test("a bare number in a string could mean two things, and the message says which", () => {
    expect(() => parseCpuLimit("20")).toThrow(/"20%" for 20 % of one CPU, or "20cpus" for 20 whole CPUs/);
  });
});

describe("a limit", () => {
  test.each([0.02, 0.2])("of %s CPUs is what a busy process spends", async (limit) => {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { limit });
    await target.ready;
    const share = await shareOf([pid], 3000);
    expect(share).toBeLessThan(limit * 1.1);
    // On a loaded machine it may get less than it is allowed.
    expect(share).toBeGreaterThan(limit * 0.5);
    const stats = target.stats();
    expect(stats?.limit).toBe(limit);
    expect(stats?.shareAchieved).toBeLessThan(limit * 1.2);
    expect(stats?.throttledNs).toBeGreaterThan(1e9);
    await target.release();
    expect(await runsOn(pid)).toBe(true);
  });

  test("of all threads together", async () => {
    const script =
      "const { Worker } = require('worker_threads'); for (let i = 0; i < 3; i++) new Worker('for(;;);', { eval: true }); for(;;);";
    const { pid } = await start([process.execPath, "-e", script]);
    await until(() => host().cpuTimeNs(pid) > 300e6, "it is busy");
    await hobbler.add(pid, { limit: 0.1 }).ready;
    expect(await shareOf([pid], 3000)).toBeLessThan(0.12);
  });

  test("of a whole tree", async () => {
    const { pid } = await start(["sh", "-c", `for i in 1 2 3 4; do setpriv --pdeathsig KILL -- sh -c 'while :; do :; done' & done; wait`]);
    await until(() => childrenOf(pid).length === 4, "it has children");
    const target = hobbler.add({ tree: pid }, { limit: "20%" });
    await target.ready;
    expect(await shareOf(childrenOf(pid), 3000)).toBeLessThan(0.23);
    await target.release();
    for (const child of childrenOf(pid)) expect(await runsOn(child)).toBe(true);
  });

  test("children that come and go count too", async () => {
    const { pid } = await start(["sh", "-c", "while :; do (i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done); done"]);
    await sleep(100);
    const target = hobbler.add({ tree: pid }, { limit: "20%" });
    await target.ready;
    await sleep(500);
    // What the shell and the children that it has waited for have spent: fields 14 to 17 of /proc/PID/stat, in ticks of 10 ms.
    const { readFileSync } = await import("node:fs");
    const ticks = () => {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    };
    const [before, from] = [ticks(), host().monotonicNs()];
    await sleep(4000);
    const share = ((ticks() - before) * 1e7) / (host().monotonicNs() - from);
    expect(share).toBeLessThan(0.25);
    expect(share).toBeGreaterThan(0.1);
  });

  test("what a child had spent before does not count when it exits", async () => {
    // A child that has worked for a second and a half, and another that goes on.
    const works = "setpriv --pdeathsig KILL -- sh -c 'while :; do :; done' &";
    const { pid, child } = await start([
      "sh",
      "-c",
      `${works} first=$!; ${works} read line; kill -9 $first; wait $first; while :; do sleep 1; done`,
    ]);
    await until(() => childrenOf(pid).length === 2, "both work");
    const [first = 0] = childrenOf(pid);
    await until(() => host().cpuTimeNs(first) > 1.5e9, "it has worked for a while");
    const target = hobbler.add({ tree: pid }, { limit: "30%" });
    await target.ready;
    await sleep(1200);
    child.stdin?.write("\n");
    await until(() => !childrenOf(pid).includes(first), "it is gone");
    await sleep(300);
    const [second = 0] = childrenOf(pid);
    expect(await shareOf([second], 3000)).toBeGreaterThan(0.1);
  });

  test("who waits for a turn runs when the one that has it is let go, or dies", async () => {
    await using one = new Hobbler({ concurrency: 1 });
    for (const way of ["released", "killed", "given other terms"]) {
      const [first, second] = [await startBurner(), await startBurner()];
      const long = one.add(first.pid, { run: "900ms", stop: "10ms" });
      await until(() => (long.stats()?.signals ?? 0) > 1 && long.stats()?.state === "running", "it has the turn");
      // In the same run window: the next could be an hour away.
      long.update({ run: "1h", stop: "10ms" });
      const waiter = one.add(second.pid, { run: "10ms", stop: "10ms" });
      await until(() => waiter.stats()?.state === "waiting", "the other waits");
      if (way === "released") await long.release();
      else if (way === "killed") process.kill(first.pid, "SIGKILL");
      else long.update({ run: null, limit: "1%" });
      await until(() => (waiter.stats()?.cycles ?? 0) > 0, `it runs when the first was ${way}`);
      await waiter.release();
      await long.release();
    }
  });

  test("sends no signal to who stays below it", async () => {
    const idle = await startSleeper();
    const light = await start(["sh", "-c", "while :; do sleep 0.05; done"]);
    const targets = [hobbler.add(idle.pid, { limit: 0.01 }), hobbler.add({ tree: light.pid }, { limit: 0.9 })];
    await Promise.all(targets.map((target) => target.ready));
    await sleep(2000);
    for (const target of targets) expect(target.stats()?.signals).toBe(0);
  });

  test("takes the place of a cycle, and a cycle of a limit", async () => {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { run: "10ms", stop: "10ms" });
    await target.ready;
    target.update({ run: null, limit: "3%" });
    await until(() => target.stats()?.limit === 0.03, "it has a limit");
    await sleep(300);
    expect(await shareOf([pid], 2000)).toBeLessThan(0.04);
    target.update({ limit: 0.06 });
    expect(await shareOf([pid], 2000)).toBeLessThan(0.075);
    target.update({ limit: null, run: "5ms", stop: "95ms" });
    await until(() => (target.stats()?.cycles ?? 0) > 0 && target.stats()?.limit === undefined, "it has a cycle");
    expect(await shareOf([pid], 1000)).toBeLessThan(0.08);
    expect(() => target.update({ limit: "20" })).toThrow(/20 whole CPUs/);
  });

  test("is kept through pause and resume, and everything runs meanwhile", async () => {
    const { pid } = await startBurner();
    await hobbler.add(pid, { limit: "2%" }).ready;
    await sleep(200);
    hobbler.pause();
    const seen = await observe(pid, 100);
    expect(seen.get("T")).toBeUndefined();
    hobbler.resume();
    await sleep(50);
    expect(await shareOf([pid], 2000)).toBeLessThan(0.03);
  });

  test("leaves alone what somebody else stopped", async () => {
    const { pid, child } = await startBurner();
    const target = hobbler.add(pid, { limit: "20%" });
    await target.ready;
    await sleep(300);
    child.kill("SIGSTOP");
    await sleep(1500);
    const seen = await observe(pid, 100);
    expect([...seen.keys()]).toEqual(["T"]);
    child.kill("SIGCONT");
    await until(() => stateOf(pid) !== "T", "it runs again");
  });
});

describe("a cycle", () => {
  test("spares who is idle, and stops who is not", async () => {
    const idle = await startSleeper();
    const busy = await startBurner();
    const spared = hobbler.add(idle.pid, { run: "10ms", stop: "40ms", spareIdle: true });
    const stopped = hobbler.add(busy.pid, { run: "10ms", stop: "40ms", spareIdle: true });
    await Promise.all([spared.ready, stopped.ready]);
    // On a loaded machine it may still be busy with its start.
    await until(() => (spared.stats()?.sparedWindows ?? 0) > 5, "it is spared");
    const signals = spared.stats()?.signals;
    await sleep(1000);
    expect(spared.stats()?.signals).toBe(signals);
    expect(stopped.stats()?.cycles).toBeGreaterThan(5);
    expect(await shareOf([busy.pid], 1000)).toBeLessThan(0.3);
  });

  test("with a limit leaves out run windows for which nothing was earned", async () => {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { run: "10ms", stop: "10ms", limit: "5%" });
    await target.ready;
    await sleep(500);
    expect(await shareOf([pid], 2500)).toBeLessThan(0.065);
    expect(target.stats()?.throttledWindows).toBeGreaterThan(5);
  });
});
