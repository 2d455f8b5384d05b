import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Hobbler, type TargetStats } from "../src/index.js";
import { startBurner, startSleeper, until } from "./helpers/processes.js";

let hobbler: Hobbler;
beforeEach(() => {
  hobbler = new Hobbler();
});
afterEach(() => hobbler.close());

async function cycles(count: number): Promise<void> {
  await until(() => hobbler.targetStats().every((stats) => stats.cycles >= count), `${count} cycles`);
}

test("of a target: what was asked for and what became of it", async () => {
  const { pid } = await startBurner();
  const target = hobbler.add(pid, { run: "10ms", stop: "40ms" });
  await target.ready;
  await cycles(10);
  const stats = target.stats();
  expect(stats).toMatchObject({
    id: target.id,
    kind: "process",
    pid,
    members: 1,
    runNs: 10e6,
    stopNs: 40e6,
    dutyAsked: 0.2,
    skippedWindows: expect.any(Number),
    deferredWindows: expect.any(Number),
  } satisfies Partial<Record<keyof TargetStats, unknown>>);
  if (stats?.dutyAchieved === undefined || stats.cpuNs === undefined) throw new Error("no figures");
  expect(stats.dutyAchieved).toBeCloseTo(stats.ranNs / (stats.ranNs + stats.stoppedNs), 12);
  expect(stats.dutyAchieved).toBeCloseTo(0.2, 1);
  expect(stats.signals).toBeGreaterThanOrEqual(2 * stats.cycles);
  expect(stats.cpuNs).toBeGreaterThan(0);
  expect(stats.cpuNs).toBeLessThan(stats.ranNs * 1.5);
  for (const { p50Ns, p99Ns, maxNs } of [stats.runError, stats.stopError]) {
    expect(p50Ns).toBeLessThanOrEqual(p99Ns);
    expect(p99Ns).toBeLessThanOrEqual(maxNs);
  }
});

test("of all targets at once, CPU times when asked for", async () => {
  const pids = await Promise.all([startSleeper(), startSleeper(), startSleeper()]);
  for (const { pid } of pids) hobbler.add(pid, { run: "1ms", stop: "9ms" });
  await cycles(3);
  const stats = hobbler.targetStats();
  expect(stats.map(({ pid }) => pid)).toEqual(pids.map(({ pid }) => pid));
  expect(stats.map(({ cpuNs }) => cpuNs)).toEqual([undefined, undefined, undefined]);
  for (const { cpuNs } of hobbler.targetStats({ cpu: true })) expect(cpuNs).toBeGreaterThanOrEqual(0);
});

test("of the engine: counters, quantiles and what the host granted", async () => {
  const { pid } = await startSleeper();
  hobbler.add(pid, { run: "2ms", stop: "3ms" });
  await cycles(20);
  const stats = hobbler.stats();
  expect(stats).toMatchObject({ targets: 1, members: 1, stretch: 1, skippedWindows: expect.any(Number) });
  expect(["fifo", "slice", "other"]).toContain(stats.scheduler);
  expect(stats.scheduler === "fifo").toBe(stats.realtimeError === undefined);
  expect(["pidfd", "kill"]).toContain(stats.signalMethod);
  expect(stats.signals).toBeGreaterThanOrEqual(40);
  expect(stats.wakeups).toBeGreaterThan(0);
  expect(stats.lateness.count).toBeGreaterThanOrEqual(39);
  expect(stats.runError.count).toBeGreaterThanOrEqual(20);
  expect(stats.elapsedNs).toBeGreaterThan(20 * 5e6);
  expect(stats.cpuNs).toBeGreaterThan(0);
  expect(stats.cpuNs).toBeLessThan(stats.elapsedNs);
  for (const quantiles of [stats.lateness, stats.runError, stats.stopError, stats.wakeLatency]) {
    const { p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = quantiles;
    expect([p50Ns, p90Ns, p99Ns, p999Ns, maxNs]).toEqual([p50Ns, p90Ns, p99Ns, p999Ns, maxNs].sort((a, b) => a - b));
  }
});

test("of the engine outlive the targets", async () => {
  const { pid } = await startSleeper();
  const target = hobbler.add(pid, { run: "2ms", stop: "8ms" });
  await cycles(5);
  await target.release();
  expect(target.stats()).toBeUndefined();
  expect(hobbler.targetStats()).toEqual([]);
  const { dutyAchieved, ranNs } = hobbler.stats();
  expect(ranNs).toBeGreaterThanOrEqual(5 * 2e6);
  expect(dutyAchieved).toBeCloseTo(0.2, 1);
});

describe("options show their effect", () => {
  test("realtime off", async () => {
    await using ordinary = new Hobbler({ realtime: "off" });
    const { scheduler, priority } = ordinary.stats();
    expect(scheduler).not.toBe("fifo");
    expect(priority).toBe(0);
  });

  test("priority and cpu", async () => {
    await using pinned = new Hobbler({ priority: 7, cpu: 0 });
    const stats = pinned.stats();
    expect(stats.cpu).toBe(0);
    if (stats.scheduler === "fifo") expect(stats.priority).toBe(7);
  });

  test("concurrency: with one turn for two busy targets that want more, windows are deferred and an overload is told of once", async () => {
    await using capped = new Hobbler({ concurrency: 1 });
    expect(capped.stats().concurrency).toBe(1);
    const overloads: unknown[] = [];
    capped.on("overload", (event) => overloads.push(event));
    const burners = await Promise.all([startBurner(), startBurner(), startBurner()]);
    const targets = burners.map(({ pid }) => capped.add(pid, { run: "20ms", stop: "10ms" }));
    await Promise.all(targets.map(({ ready }) => ready));
    await until(() => capped.targetStats().every(({ cycles }) => cycles >= 5), "5 cycles");
    const ranNs = capped.targetStats().reduce((sum, stats) => sum + stats.ranNs, 0);
    expect(ranNs).toBeLessThan(capped.stats().elapsedNs); // one after the other
    await until(() => overloads.length > 0, "an overload event");
    expect(overloads).toEqual([{ reason: "concurrency", message: expect.any(String), stretch: expect.any(Number) }]);
    expect(capped.stats().deferredWindows).toBeGreaterThan(0);
    for (const { dutyAchieved } of capped.targetStats()) expect(dutyAchieved).toBeLessThan(0.5);
  });

  test("no cap", async () => {
    await using uncapped = new Hobbler({ concurrency: "none" });
    expect(uncapped.stats().concurrency).toBeUndefined();
  });

  test("phase: aligned targets run together", async () => {
    const sleepers = await Promise.all([startSleeper(), startSleeper()]);
    const targets = sleepers.map(({ pid }) => hobbler.add(pid, { run: "5ms", stop: "45ms", phase: "aligned" }));
    await Promise.all(targets.map(({ ready }) => ready));
    await cycles(1);
    const [first, second] = hobbler.targetStats();
    expect(first?.phaseNs).toBe(second?.phaseNs);
  });

  test("phase: an offset, and spread", async () => {
    const sleepers = await Promise.all([startSleeper(), startSleeper(), startSleeper()]);
    const phases = ["7ms", "spread", "spread"] as const;
    const targets = sleepers.map(({ pid }, index) => hobbler.add(pid, { run: "5ms", stop: "45ms", phase: phases[index] }));
    await Promise.all(targets.map(({ ready }) => ready));
    await cycles(1);
    const [offset, ...spread] = hobbler.targetStats().map(({ phaseNs }) => phaseNs);
    expect(offset).toBe(7e6);
    expect(new Set(spread).size).toBe(2);
  });
});

test("several hobblers work side by side", async () => {
  await using other = new Hobbler();
  const [mine, theirs] = [await startSleeper(), await startSleeper()];
  hobbler.add(mine.pid, { run: "1ms", stop: "9ms" });
  const target = other.add(theirs.pid, { run: "1ms", stop: "9ms" });
  await cycles(3);
  await until(() => (target.stats()?.cycles ?? 0) >= 3, "3 cycles of the other");
  await other.close();
  await cycles(6);
  expect(hobbler.targets.size).toBe(1);
});
