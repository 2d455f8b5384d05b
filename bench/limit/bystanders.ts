/** What an innocent program on the same host notices of 100 busy processes: its wake-up latency, and what it gets done. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { sleepSeconds } from "../clock.js";
import { Herd } from "../herd.js";
import { nativeProgram, repository } from "../native-programs.js";
import { quantile, sum } from "../statistics.js";
import { attach, cpulimit, quota, type Running } from "./limiters.js";

const count = 100;
/** CPUs for all of them together. */
const limit = 0.1;

export interface BystanderCase {
  name: string;
  /** Processes beside it. */
  busy: boolean;
  missing?: string | undefined;
  begin(pids: readonly number[]): Promise<Running>;
}

const nothing: Running = { stop: async () => {} };

const pool = (pids: readonly number[]): Promise<Running> => attach([...pids.map(String), "--pool-cpu", `${limit}cpus`]);

export function bystanderCases(): BystanderCase[] {
  return [
    { name: "idle host", busy: false, begin: async () => nothing },
    { name: "nothing done", busy: true, begin: async () => nothing },
    { name: "hobble, a pool", busy: true, begin: pool },
    {
      name: "hobble, a pool of SCHED_IDLE",
      busy: true,
      async begin(pids) {
        for (const pid of pids) execFileSync("chrt", ["--idle", "--pid", "0", String(pid)]);
        return pool(pids);
      },
    },
    { name: "asyncio loop", busy: true, begin: asyncio },
    {
      name: "cpulimit for each (1 % is its least: 1 CPU in all)",
      busy: true,
      missing: cpulimit.missing(),
      begin: (pids) => all(pids.map((pid) => cpulimit.limit([pid], limit / count))),
    },
    { name: "CPU quota", busy: true, missing: quota.missing(), begin: (pids) => quota.limit(pids, limit) },
  ];
}

async function all(starting: readonly Promise<Running>[]): Promise<Running> {
  const running = await Promise.all(starting);
  return {
    async stop() {
      await Promise.all(running.map((one) => one.stop()));
    },
  };
}

/** A tenth of a percent of a CPU each, as the pool gives them. The measured time is made of whole periods. */
const loop = { runMs: 2, stopMs: (2 * count) / limit - 2 };

/** All in step, as a loop does it. */
async function asyncio(pids: readonly number[]): Promise<Running> {
  const child = spawn("python3", [`${repository}/bench/peers/asyncio_loop.py`], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const orders = { type: "start", pids, ...loop, tree: false };
  child.stdin.write(`${JSON.stringify(orders)}\n`);
  await lines.next();
  return {
    async stop() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

export interface BystanderResult {
  /** How late it woke, ns. */
  p50: number;
  p99: number;
  max: number;
  /** What it got done, turns a second. */
  throughput: number;
}

export async function measureBystander(one: BystanderCase, seconds: number): Promise<BystanderResult> {
  const herd = one.busy
    ? await Herd.start({ count, kind: "busy", lifetimeSeconds: seconds * 2 + 60, shortestGapMs: 1, userId: undefined })
    : undefined;
  try {
    const running = await one.begin(herd?.pids ?? []);
    herd?.go();
    await sleepSeconds(3);
    const late = (await bystander("latency", seconds)).flatMap((line) => line.trim().split(" ").map(Number));
    const slices = (await bystander("compute", seconds)).slice(1).map((line) => line.split(" ").map(Number));
    await running.stop();
    const sorted = Float64Array.from(late).sort();
    // Not the median of the slices: a hobbler that lets all run at once, now and then, would be judged by the time between.
    const [turns, elapsedNs] = [0, 2].map((field) => sum(slices.map((slice) => slice[field] ?? 0)));
    const throughput = ((turns ?? 0) * 1e9) / (elapsedNs ?? 1);
    return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1), throughput };
  } finally {
    await herd?.end();
  }
}

async function bystander(kind: "latency" | "compute", seconds: number): Promise<string[]> {
  const child = spawn(nativeProgram("bystander"), [kind, "200"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  await sleepSeconds(seconds);
  child.stdin.end();
  await once(child, "exit");
  return lines;
}
