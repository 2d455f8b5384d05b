/** Targets that fight back: a friend of theirs sends them SIGCONT while they are stopped. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { type EvasionEvent, Hobbler, type HobblerOptions, type Target, type TargetTerms } from "../src/index.js";
import { canFreeze } from "./helpers/cgroups.js";
import { cpuSecondsOf, start, startBurner, until } from "./helpers/processes.js";

const cycle = { run: "40ms", stop: "120ms" } as const;
const duty = 0.25;

/** Sends SIGCONT to a process every half millisecond, or as fast as it can, until the test ends. */
function friendOf(pid: number, everyMs: number) {
  const pause = everyMs === 0 ? "" : `; time.sleep(${everyMs / 1000})`;
  return start(["python3", "-c", `import os, time\nwhile True: os.kill(${pid}, 18)${pause}`]);
}

async function hobbled(options: HobblerOptions, terms: TargetTerms = cycle) {
  const burner = await startBurner();
  const hobbler = new Hobbler(options);
  onTestFinished(() => hobbler.close());
  const events: EvasionEvent[] = [];
  hobbler.on("evasion", (event) => void events.push(event));
  const target = hobbler.add({ pid: burner.pid }, terms);
  await target.ready;
  return { burner, hobbler, target, events };
}

/** Spins in eight threads. */
async function startThreads(): Promise<number> {
  const spinning = "for (let i = 0; i < 8; i++) new (require('worker_threads').Worker)('for (;;);', { eval: true });";
  const { pid } = await start([process.execPath, "-e", spinning]);
  await until(() => cpuSecondsOf(pid) > 0.5, "it spins");
  return pid;
}

async function shareOf(pid: number, ms: number): Promise<number> {
  const began = performance.now();
  const before = cpuSecondsOf(pid);
  await sleep(ms);
  return (cpuSecondsOf(pid) - before) / ((performance.now() - began) / 1000);
}

test("one that keeps still is not suspected", async () => {
  const { target, events } = await hobbled({});
  await sleep(1500);
  expect(target.stats()).toMatchObject({ evasions: 0, restops: 0 });
  expect(events).toEqual([]);
});

test("those whose many threads take long to stop are not taken for evaders", async () => {
  const pids = await Promise.all([startThreads(), startThreads(), startThreads(), startThreads()]);
  const hobbler = new Hobbler();
  onTestFinished(() => hobbler.close());
  const targets = pids.map((pid) => hobbler.add(pid, { run: "10ms", stop: "250ms" }));
  await Promise.all(targets.map((target) => target.ready));
  await sleep(3000);
  for (const target of targets) expect(target.stats()).toMatchObject({ via: "signal", evasions: 0, restops: 0 });
});

test("one with many threads that is sent SIGCONT is caught all the same", async () => {
  const pid = await startThreads();
  const hobbler = new Hobbler({ onEvasion: "restop" });
  onTestFinished(() => hobbler.close());
  const events: EvasionEvent[] = [];
  hobbler.on("evasion", (event) => void events.push(event));
  await hobbler.add(pid, { run: "10ms", stop: "250ms" }).ready;
  await friendOf(pid, 0.5);
  await until(() => events.length > 1, "it is caught");
});

test("a SIGCONT every half millisecond is answered with SIGSTOP again, within a share of the engine's CPU", async () => {
  const { burner, hobbler, target, events } = await hobbled({ onEvasion: "restop" });
  await friendOf(burner.pid, 0.5);
  await until(() => events.length > 0, "it is caught");
  const before = hobbler.stats();
  // Shared with whatever else runs here: the benchmarks tell what it is on a quiet host.
  expect(await shareOf(burner.pid, 2000)).toBeLessThan(3.2 * duty);
  const after = hobbler.stats();
  expect((after.cpuNs - before.cpuNs) / (after.elapsedNs - before.elapsedNs)).toBeLessThan(0.4);
  expect(events[0]).toMatchObject({ target, pid: burner.pid, answer: "restop", share: undefined });
  await until(() => events.length > 1, "it is told again");
  expect(events[1]?.share).toBeGreaterThan(0);
  expect(target.stats()?.restops).toBeGreaterThan(10);
  expect(target.stats()?.evadedNs).toBeGreaterThan(0);
});

test("with a limit the time that it has evaded is paid back", async () => {
  const { burner, events } = await hobbled({ onEvasion: "restop" }, { limit: "30%" });
  await friendOf(burner.pid, 0.5);
  await until(() => events.length > 0, "it is caught");
  await sleep(500);
  expect(await shareOf(burner.pid, 3000)).toBeLessThan(0.8);
});

const tight = async (options: HobblerOptions): Promise<{ burnerPid: number; target: Target; events: EvasionEvent[] }> => {
  const { burner, target, events } = await hobbled(options);
  await friendOf(burner.pid, 0);
  return { burnerPid: burner.pid, target, events };
};

test.skipIf(!canFreeze)("against a tight loop it is frozen, by itself (skipped where no group of v2 can be made)", async () => {
  const { burnerPid, target, events } = await tight({});
  await until(() => target.stats()?.via === "freeze", "it is frozen");
  expect(events.map(({ answer }) => answer)).toEqual(["restop", "freeze"]);
  expect(await shareOf(burnerPid, 2000)).toBeLessThan(1.3 * duty);
  expect(target.pid).toBe(burnerPid);
});

test.skipIf(!canFreeze)("or at once, with onEvasion freeze (skipped likewise)", async () => {
  const { target, events } = await tight({ onEvasion: "freeze" });
  await until(() => target.stats()?.via === "freeze", "it is frozen");
  expect(events.map(({ answer }) => answer)).toEqual(["freeze"]);
});

test("or only told of, with onEvasion report", async () => {
  const { target, events } = await tight({ onEvasion: "report" });
  await until(() => events.length > 1, "it is told");
  expect(events[0]?.answer).toBe("report");
  expect(target.stats()).toMatchObject({ via: "signal", restops: 0 });
});
