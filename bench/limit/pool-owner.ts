/**
 * pool-owner.js LIMIT CONCURRENCY WEIGHT,WEIGHT… PID… : hobbles the processes as targets of one pool until its input ends, and says when they are
 * hobbled. LIMIT "each:5%" gives each of them a limit of its own instead. The weights are dealt out in turn.
 */
import { createInterface } from "node:readline";
import { Hobbler, type Target } from "hobble";

const [limit = "", concurrency = "", weightList = "", ...pids] = process.argv.slice(2);
const weights = weightList.split(",").map(Number);
const each = /^each:(.*)$/.exec(limit)?.[1];

const hobbler = new Hobbler();
const pool =
  each === undefined ? hobbler.pool("bench", { limit, ...(concurrency === "0" ? {} : { concurrency: Number(concurrency) }) }) : undefined;
const targets: Target[] = pids.map((pid, index) =>
  hobbler.add(Number(pid), pool === undefined ? { limit: each ?? "" } : { pool, weight: weights[index % weights.length] ?? 1 }),
);
await Promise.all(targets.map((target) => target.ready));
process.stdout.write("hobbled\n");
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "figures") continue;
  const { signals, wakeups, cpuNs, scoutCpuNs, scheduler } = hobbler.stats();
  const signalled = targets.map((target) => target.stats()?.signals ?? 0);
  process.stdout.write(`${JSON.stringify({ signals, wakeups, cpuNs, scoutCpuNs, scheduler, signalled })}\n`);
}
await hobbler.close();
