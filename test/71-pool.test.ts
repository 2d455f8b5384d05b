import { afterEach, beforeEach, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { host } from "../src/native-host.js";
import { hobble, hobbles } from "./helpers/cli.js";
import { runsOn, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

let hobbler: Hobbler;
beforeEach(() => {
  hobbler = new Hobbler();
});
afterEach(() => hobbler.close());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const burners = async (count: number) => Promise.all(Array.from({ length: count }, async () => (await startBurner()).pid));

/** CPUs that each of the processes uses, over so long. */
async function sharesOf(pids: readonly number[], ms: number): Promise<number[]> {
  const read = () => pids.map((pid) => host().cpuTimeNs(pid));
  const [before, from] = [read(), host().monotonicNs()];
  await sleep(ms);
  const elapsed = host().monotonicNs() - from;
  return read().map((now, index) => (now - (before[index] ?? 0)) / elapsed);
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

test("a pool's targets share its limit, and the idle ones get no signal", async () => {
  const busy = await burners(4);
  const idle = [(await startSleeper()).pid, (await startSleeper()).pid];
  const pool = hobbler.pool("tarpit", { limit: "20%" });
  const targets = [...busy, ...idle].map((pid) => hobbler.add(pid, { pool }));
  await Promise.all(targets.map((target) => target.ready));
  await sleep(500);
  const shares = await sharesOf(busy, 5000);
  expect(sum(shares)).toBeLessThan(0.22);
  const mean = sum(shares) / busy.length;
  for (const share of shares) expect(Math.abs(share / mean - 1)).toBeLessThan(0.25);
  for (const target of targets.slice(busy.length)) expect(target.stats()?.signals).toBe(0);
  expect(pool.stats()).toMatchObject({ limit: 0.2, targets: 6 });
  await hobbler.close();
  for (const pid of busy) expect(await runsOn(pid)).toBe(true);
});

test("by weight", async () => {
  const pids = await burners(3);
  // So little that they get it on a loaded machine too: who cannot even use its share has no use for a weight.
  hobbler.pool("tarpit", { limit: 0.08 });
  await Promise.all(pids.map((pid, index) => hobbler.add(pid, { pool: "tarpit", weight: 2 ** index }).ready));
  await sleep(500);
  const shares = await sharesOf(pids, 5000);
  const whole = sum(shares);
  expect(whole).toBeLessThan(0.095);
  for (const [index, share] of shares.entries()) expect(share / whole).toBeCloseTo(2 ** index / 7, 1);
});

test("no more than `concurrency` of its busy targets run at once", async () => {
  const pids = await burners(4);
  const pool = hobbler.pool("tarpit", { limit: 0.4, concurrency: 1 });
  await Promise.all(pids.map((pid) => hobbler.add(pid, { pool }).ready));
  await sleep(500);
  let most = 0;
  for (let look = 0; look < 200; look++) {
    // Two readings of /proc that agree: a turn may pass from one to the next between them.
    const running = pids.filter((pid) => stateOf(pid) !== "T").filter((pid) => stateOf(pid) !== "T").length;
    if (running > 1 && pool.stats()?.inTurn !== undefined) most = Math.max(most, pool.stats()?.inTurn ?? 0);
    await sleep(3);
  }
  expect(most).toBeLessThanOrEqual(1);
});

test("a target's own limit holds within its pool", async () => {
  const [small = 0, large = 0] = await burners(2);
  const pool = hobbler.pool("tarpit", { limit: 0.3 });
  const targets = [hobbler.add(small, { pool, limit: "2%" }), hobbler.add(large, { pool })];
  await Promise.all(targets.map((target) => target.ready));
  await sleep(500);
  const [low = 1, high = 0] = await sharesOf([small, large], 4000);
  expect(low).toBeLessThan(0.025);
  expect(low + high).toBeLessThan(0.33);
  expect(high).toBeGreaterThan(low);
  // What they spent before they were stopped, or had their turn, is not held against them.
  for (const target of targets) expect(target.stats()).toMatchObject({ suspected: false, evasions: 0, restops: 0 });
});

test("cycles can belong to a pool", async () => {
  const pids = await burners(3);
  const pool = hobbler.pool("tarpit", { limit: "10%" });
  await Promise.all(pids.map((pid) => hobbler.add(pid, { run: "10ms", stop: "10ms", pool }).ready));
  await sleep(500);
  expect(sum(await sharesOf(pids, 3000))).toBeLessThan(0.125);
});

test("targets join and leave, and the pool changes", async () => {
  const pids = await burners(2);
  const pool = hobbler.pool("tarpit", { limit: "10%" });
  const targets = pids.map((pid) => hobbler.add(pid, { limit: "50%" }));
  await Promise.all(targets.map((target) => target.ready));
  for (const target of targets) target.update({ limit: null, pool });
  await sleep(500);
  expect(sum(await sharesOf(pids, 2000))).toBeLessThan(0.125);
  pool.update({ limit: "4%" });
  await sleep(300);
  expect(sum(await sharesOf(pids, 2000))).toBeLessThan(0.055);
  pool.close();
  expect(() => hobbler.add(pids[0] ?? 0, { pool })).toThrow(/pool of this hobbler that was not closed/);
  await Promise.all(targets.map((target) => target.release()));
  for (const pid of pids) expect(await runsOn(pid)).toBe(true);
});

test("a pool that is closed goes on for those in it, whoever has its name", async () => {
  const pids = await burners(2);
  const pool = hobbler.pool("tarpit", { limit: "10%", concurrency: 1 });
  const targets = pids.map((pid) => hobbler.add(pid, { pool: "tarpit" }));
  await Promise.all(targets.map((target) => target.ready));
  pool.close();
  const namesake = hobbler.pool("tarpit", { limit: 1 });
  for (const target of targets) target.update({ weight: 2 });
  await sleep(500);
  expect(namesake.stats()?.targets).toBe(0);
  expect(sum(await sharesOf(pids, 2000))).toBeLessThan(0.125);
  for (const target of targets) target.update({ pool: "tarpit" });
  await until(() => namesake.stats()?.targets === 2, "they have moved");
});

test("its cap can be taken away", async () => {
  const pids = await burners(2);
  const pool = hobbler.pool("tarpit", { limit: 1.8, concurrency: 1 });
  await Promise.all(pids.map((pid) => hobbler.add(pid, { pool }).ready));
  await until(() => pool.stats()?.inTurn === 1 && pool.stats()?.waiting === 1, "one has a turn");
  pool.update({ concurrency: null });
  await until(() => pool.stats()?.inTurn === 2, "both have");
});

test("a weight that changes lets nobody run who waits", async () => {
  const pids = await burners(6);
  const pool = hobbler.pool("tarpit", { limit: "5%" });
  const targets = pids.map((pid) => hobbler.add(pid, { pool }));
  await Promise.all(targets.map((target) => target.ready));
  // What they spent before they were all stopped is repaid by then.
  await sleep(3000);
  const shares = sharesOf(pids, 3000);
  for (let round = 0; round < 60; round++) {
    for (const [index, target] of targets.entries()) target.update({ weight: 1 + ((round + index) % 3) });
    await sleep(50);
  }
  expect(sum(await shares)).toBeLessThan(0.08);
  expect(pool.stats()).toMatchObject({ targets: 6 });
});

test("the last to leave a pool that ends takes it along, again and again", async () => {
  const { pid } = await startBurner();
  const target = hobbler.add(pid, { limit: "5%" });
  await target.ready;
  for (let round = 0; round < 50; round++) {
    const pool = hobbler.pool("tarpit", { limit: "5%" });
    target.update({ limit: null, pool });
    if (round % 2 === 0) await sleep(10);
    pool.close();
    target.update({ pool: null, limit: "5%" });
    if (round % 3 === 0) await sleep(10);
  }
  await sleep(1000);
  expect(sum(await sharesOf([pid], 2000))).toBeLessThan(0.075);
  await target.release();
  expect(await runsOn(pid)).toBe(true);
});

test("a pool pays for what its targets spent until they were let go", async () => {
  const pool = hobbler.pool("tarpit", { limit: 4, burst: "10s" });
  let spentNs = 0;
  for (let round = 0; round < 5; round++) {
    const { pid } = await startBurner();
    const target = hobbler.add(pid, { pool });
    await target.ready;
    const before = host().cpuTimeNs(pid);
    await sleep(60);
    spentNs += host().cpuTimeNs(pid) - before;
    await target.release();
  }
  expect(spentNs).toBeGreaterThan(1e7);
  expect(pool.stats()?.spentNs).toBeGreaterThan(0.9 * spentNs);
});

test("what cannot be right is refused", async () => {
  const { pid } = await startSleeper();
  hobbler.pool("tarpit", { limit: 1 });
  const invalid = expect.objectContaining({ code: "EINVAL" });
  expect(() => hobbler.pool("tarpit", { limit: 1 })).toThrow(invalid);
  expect(() => hobbler.pool("other", { limit: 0 })).toThrow(invalid);
  expect(() => hobbler.pool("other", { limit: 1, concurrency: 0 })).toThrow(invalid);
  expect(() => hobbler.add(pid, { pool: "nowhere" })).toThrow(/no pool "nowhere"/);
  expect(() => hobbler.add(pid, { pool: "tarpit", weight: 0 })).toThrow(invalid);
  expect(() => hobbler.add(pid, { pool: "tarpit", burst: "1s" })).toThrow(/belong to a limit/);
  expect(hobbler.pools.size).toBe(1);
});

test("the command: --pool-cpu and --cpu", async () => {
  const pids = await burners(2);
  const attach = await hobble(["attach", ...pids, "--pool-cpu", "10%", "--concurrency", "1", "--for", "4s", "--json"]);
  for (const pid of pids) await hobbles(attach, pid);
  await sleep(300);
  expect(sum(await sharesOf(pids, 1500))).toBeLessThan(0.2);
  expect(await attach.exit).toBe(0);
  const { limitAsked, limitShared, limitSpent } = attach.events().at(-1) as Record<string, unknown>;
  expect({ limitAsked, limitShared }).toEqual({ limitAsked: 0.1, limitShared: true });
  expect(limitSpent).toBeGreaterThan(0.02);
  expect(limitSpent).toBeLessThan(0.3);
  const own = await hobble(["attach", pids[0] ?? 0, "--cpu", "20%", "--for", "1s"]);
  expect(await own.exit).toBe(0);
  expect(own.stdout()).toMatch(/^limit +asked 20(\.0)? % of a CPU, spent \d+(\.\d+)? %$/m);
  const bare = await hobble(["attach", pids[0] ?? 0, "--cpu", "20"]);
  expect(await bare.exit).toBe(2);
  expect(bare.stderr()).toMatch(/"20%" for 20 % of one CPU, or "20cpus"/);
});
