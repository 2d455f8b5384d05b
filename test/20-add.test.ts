import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Hobbler, identify } from "../src/index.js";
import {
  cpuSecondsOf,
  end,
  goneProcess,
  mainThreadCpuMs,
  observe,
  runsOn,
  startBurner,
  startSleeper,
  startTimeOf,
  stateOf,
  until,
} from "./helpers/processes.js";

let hobbler: Hobbler;
beforeEach(() => {
  hobbler = new Hobbler();
});
afterEach(() => hobbler.close());

describe("a process", () => {
  test("is stopped at once, runs part of the time, and runs on when released", async () => {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { run: "20ms", stop: "60ms" });
    await target.ready;
    const seen = await observe(pid, 200);
    expect(seen.get("T")).toBeGreaterThan(50);
    expect(seen.get("R")).toBeGreaterThan(5);
    await target.release();
    expect(await runsOn(pid)).toBe(true);
    expect(hobbler.targets.size).toBe(0);
  });

  test("spends the share of the CPU that its duty allows", async () => {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { run: "10ms", stop: "90ms" });
    await target.ready;
    const before = cpuSecondsOf(pid);
    const began = performance.now();
    await until(() => (target.stats()?.cycles ?? 0) >= 20, "20 cycles");
    const elapsed = (performance.now() - began) / 1000;
    expect(cpuSecondsOf(pid) - before).toBeLessThan(0.15 * elapsed);
    expect(target.stats()?.dutyAchieved).toBeCloseTo(0.1, 2);
  });

  test("is known by its properties", async () => {
    const { pid } = await startSleeper();
    const target = hobbler.add(pid, { run: 1, stop: 1 });
    expect([target.pid, target.kind]).toEqual([pid, "process"]);
    expect(hobbler.targets.get(target.id)).toBe(target);
    await target.ready;
    expect(["running", "stopped"]).toContain(target.state);
    expect(target.members).toEqual([pid]);
    await target.release();
    expect([target.state, target.members]).toEqual(["gone", []]);
  });

  test("with the identity it was seen with is hobbled", async () => {
    const { pid } = await startSleeper();
    const identity = identify(pid);
    expect(identity).toMatchObject({ pid, parentPid: process.pid, startTime: startTimeOf(pid), name: "sleep", kernelThread: false });
    if (identity === undefined) throw new Error("it is gone");
    await hobbler.add(identity, { run: 1, stop: 1 }).ready;
    await until(() => stateOf(pid) === "T", "it is stopped");
  });

  test("with another identity is refused and left alone", async () => {
    const { pid } = await startSleeper();
    const other = await startSleeper();
    const startTime = startTimeOf(pid) + 1;
    await expect(hobbler.add({ pid, startTime }, { run: 1, stop: 1 }).ready).rejects.toMatchObject({ code: "ERR_IDENTITY", pid });
    const inode = identify(other.pid)?.inode;
    if (inode !== undefined && inode !== 0n) {
      await expect(hobbler.add({ pid, inode }, { run: 1, stop: 1 }).ready).rejects.toMatchObject({ code: "ERR_IDENTITY", pid });
    }
    expect(await runsOn(pid)).toBe(true);
  });

  test("that exits is dropped at once, with an event", async () => {
    const sleeper = await startSleeper();
    const target = hobbler.add(sleeper.pid, { run: "1ms", stop: "10s" });
    await target.ready;
    const exits: unknown[] = [];
    hobbler.on("exit", (event) => exits.push(event));
    await end(sleeper); // in the middle of its stop window
    hobbler.ref();
    await expect(target.ended).resolves.toBe("exit");
    expect(exits).toEqual([{ target }]);
    expect(hobbler.targets.size).toBe(0);
    await target.release();
  });
});

describe("what cannot be hobbled", () => {
  test.each([
    ["PID 1", () => 1, "ERR_PROTECTED"],
    ["a kernel thread", () => 2, "ERR_PROTECTED"],
    ["ourselves", () => process.pid, "ERR_PROTECTED"],
    ["our parent", () => process.ppid, "ERR_PROTECTED"],
    ["a process that is gone", goneProcess, "ESRCH"],
  ])("%s", async (_, find, code) => {
    const pid = await find();
    const target = hobbler.add(pid, { run: 1, stop: 1 });
    await expect(target.ready).rejects.toMatchObject({ name: "HobbleError", code, pid });
    await expect(target.ended).resolves.toBe("error");
    expect(hobbler.targets.size).toBe(0);
  });

  test("what is a target already; it stays one", async () => {
    const { pid } = await startSleeper();
    const first = hobbler.add(pid, { run: 1, stop: 1 });
    await expect(hobbler.add(pid, { run: 1, stop: 1 }).ready).rejects.toMatchObject({ code: "ERR_BUSY", pid });
    await first.ready;
    expect(hobbler.targets.size).toBe(1);
  });

  test("a process that dies between look-up and add", async () => {
    const sleeper = await startSleeper();
    const identity = identify(sleeper.pid);
    if (identity === undefined) throw new Error("it is gone");
    await end(sleeper);
    await expect(hobbler.add(identity, { run: 1, stop: 1 }).ready).rejects.toMatchObject({ code: "ESRCH" });
  });

  test("an error that nobody listens to or awaits does no harm", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    const pid = await goneProcess();
    const target = hobbler.add(pid, { run: 1, stop: 1 });
    target.ready; // looked at, never awaited
    await target.ended;
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  test("an error is an event too", async () => {
    const pid = await goneProcess();
    const event = new Promise((resolve) => hobbler.on("error", resolve));
    const target = hobbler.add(pid, { run: 1, stop: 1 });
    await target.ready.catch(() => {});
    await expect(event).resolves.toMatchObject({ target, error: { code: "ESRCH", pid } });
  });
});

test("update changes the cycle of a living target", async () => {
  const { pid } = await startSleeper();
  const target = hobbler.add(pid, { run: "1ms", stop: "1h" });
  await target.ready;
  target.update({ stop: "5ms" });
  await until(() => (target.stats()?.cycles ?? 0) >= 10, "10 cycles");
  expect(target.stats()).toMatchObject({ runNs: 1e6, stopNs: 5e6 });
  expect(() => target.update({ run: 0 })).toThrow(expect.objectContaining({ code: "EINVAL" }));
  await target.release();
  expect(() => target.update({ run: 1 })).toThrow(expect.objectContaining({ code: "ERR_CLOSED", pid }));
});

test("an update that the engine refuses is not the base of the next one", async () => {
  await using modest = new Hobbler({ maxShare: 0.005 });
  const { pid } = await startSleeper();
  const target = modest.add(pid, { run: "1s", stop: "1s" });
  await target.ready;
  const refused = new Promise<{ message: string }>((resolve) => modest.once("overload", resolve));
  target.update({ run: "100us", stop: "100us" });
  expect((await refused).message).toMatch(/more CPU than maxShare allows; the old one stays/);
  target.update({ stop: "2s" });
  await until(() => target.stats()?.stopNs === 2e9, "the next one is in force");
  expect(target.stats()).toMatchObject({ runNs: 1e9 });
});

test("a process may become a target again after its release", async () => {
  const { pid } = await startSleeper();
  for (let round = 0; round < 3; round++) {
    const target = hobbler.add(pid, { run: 1, stop: 1 });
    await target.ready;
    await Promise.all([target.release(), target.release()]);
    await expect(target.ended).resolves.toBe("released");
  }
  expect(await runsOn(pid)).toBe(true);
});

test("10,000 adds hold the event loop for a moment only", async () => {
  const pid = await goneProcess();
  const before = mainThreadCpuMs(); // elapsed time would be that of all the machine does besides
  const targets = Array.from({ length: 10_000 }, () => hobbler.add(pid, { run: "10ms", stop: "250ms" }));
  expect(mainThreadCpuMs() - before).toBeLessThan(150); // 30 ms on a quiet machine
  await Promise.all(targets.map((target) => target.ended));
  expect(hobbler.targets.size).toBe(0);
});
