/** What the targets of a pool get, and what the engine needs for it: by the scheduler's count of each process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { monotonicNs, sleepSeconds } from "../clock.js";
import { Herd } from "../herd.js";
import { repository } from "../native-programs.js";
import { cpuTimeNs } from "../referee/accounting.js";
import { sum } from "../statistics.js";

export interface PoolCase {
  name: string;
  /** As pool-owner takes it. */
  limit: string;
  concurrency: number;
  weights: readonly number[];
  busy: number;
  idle: number;
  /** As an ordinary user; undefined: as who runs the bench. */
  userId?: number;
  seconds: number;
}

const nobody = 65534;

export function poolCases(seconds: number): PoolCase[] {
  const pool = { limit: "50%", concurrency: 0, weights: [1], idle: 0, seconds };
  const many = { ...pool, name: "1,000 busy, one at a time", busy: 1000, concurrency: 1 };
  const sleeping = { limit: "each:5%", concurrency: 0, weights: [1], busy: 0, seconds };
  return [
    { ...pool, name: "100 busy", busy: 100 },
    { ...pool, name: "100 busy, weights 1:2:4", busy: 100, weights: [1, 2, 4] },
    { ...pool, name: "10 busy, 90 idle", busy: 10, idle: 90 },
    many,
    ...(process.getuid?.() === 0 ? [{ ...many, name: "1,000 busy, one at a time, ordinary user", userId: nobody }] : []),
    { ...sleeping, name: "200 sleeping, 5 % each", idle: 200 },
    { ...sleeping, name: "10,000 sleeping, 5 % each", idle: 10_000 },
  ];
}

export interface PoolResult {
  /** CPUs that all of them used together. */
  total: number;
  /** Furthest that one was from its fair share of that, relative; NaN without busy ones. */
  worst: number;
  /** Share of a CPU that the timer and helper threads used, by their own CPU clocks, and that the whole process of hobble used. */
  engine: number;
  process: number;
  signalsPerSecond: number;
  /** Signals that idle targets got. */
  idleSignals: number;
  scheduler: string;
}

interface Figures {
  signals: number;
  cpuNs: number;
  scoutCpuNs: number;
  scheduler: string;
  signalled: number[];
}

export async function measurePool(one: PoolCase): Promise<PoolResult> {
  const lifetimeSeconds = one.seconds + 90;
  const herdOf = (count: number, kind: "busy" | "idle") =>
    count === 0 ? undefined : Herd.start({ count, kind, lifetimeSeconds, shortestGapMs: 1, userId: one.userId });
  const herds = [await herdOf(one.busy, "busy"), await herdOf(one.idle, "idle")];
  try {
    const [busy = [], idle = []] = herds.map((herd) => herd?.pids ?? []);
    const identity = one.userId === undefined ? {} : { uid: one.userId, gid: one.userId };
    const args = [one.limit, one.concurrency, one.weights.join(","), ...busy, ...idle].map(String);
    const owner = spawn(process.execPath, [`${repository}/build-bench/limit/pool-owner.js`, ...args], {
      ...identity,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: owner.stdout })[Symbol.asyncIterator]();
    await lines.next();
    herds[0]?.go();
    // Time for the busy ones to be found out, and for looks at the idle ones to become rare.
    await sleepSeconds(busy.length > 500 ? 8 : 6);
    const figures = async (): Promise<Figures> => {
      owner.stdin.write("figures\n");
      return JSON.parse(String((await lines.next()).value)) as Figures;
    };
    const spent = () => busy.map(cpuTimeNs);
    const before = { figures: await figures(), own: cpuTimeNs(owner.pid ?? 0), spent: spent(), atNs: monotonicNs() };
    await sleepSeconds(one.seconds);
    const after = { atNs: monotonicNs(), spent: spent(), own: cpuTimeNs(owner.pid ?? 0), figures: await figures() };
    owner.stdin.end();
    await once(owner, "exit");

    const elapsed = after.atNs - before.atNs;
    const each = after.spent.map((now, index) => now - (before.spent[index] ?? 0));
    const whole = sum(each);
    const weightOf = (index: number) => one.weights[index % one.weights.length] ?? 1;
    const weights = sum(each.map((_, index) => weightOf(index)));
    const errors = each.map((spent, index) => Math.abs(spent / ((whole * weightOf(index)) / weights) - 1));
    return {
      total: whole / elapsed,
      worst: errors.length === 0 ? Number.NaN : Math.max(...errors),
      engine: (after.figures.cpuNs + after.figures.scoutCpuNs - before.figures.cpuNs - before.figures.scoutCpuNs) / elapsed,
      process: (after.own - before.own) / elapsed,
      signalsPerSecond: ((after.figures.signals - before.figures.signals) * 1e9) / elapsed,
      idleSignals: sum(after.figures.signalled.slice(busy.length)),
      scheduler: after.figures.scheduler,
    };
  } finally {
    for (const herd of herds) await herd?.end();
  }
}
