/**
 * `npm run bench:api`: what calls of the library cost the program that embeds it. Times, so for a look and for comparing two versions on a quiet
 * host, not for the checks; `bench:instructions` is for those.
 */
import { availableParallelism } from "node:os";
import { Hobbler, identify, parseDuration } from "hobble";
import { Bench } from "tinybench";
import { Herd } from "./herd.js";
import { table } from "./report/table.js";
import { time } from "./report/units.js";

const count = 1000;
const cycle = { run: "10ms", stop: "250ms" };

const herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 120, shortestGapMs: 1, userId: undefined });
const hobbler = new Hobbler();
try {
  const [first = 0, ...others] = herd.pids;
  const targets = others.map((pid) => hobbler.add(pid, cycle));
  await Promise.all(targets.map(({ ready }) => ready));
  const [one] = targets;
  const bench = new Bench({ time: 500, warmupTime: 100 });
  bench
    .add("add, ready and release of one target", async () => {
      const target = hobbler.add(first, cycle);
      await target.ready;
      await target.release();
    })
    .add("target.stats()", () => one?.stats())
    .add("hobbler.stats()", () => hobbler.stats())
    .add(`hobbler.targetStats(), ${count - 1} targets`, () => hobbler.targetStats())
    .add("target.update()", () => one?.update({ run: "11ms" }))
    .add("identify(pid)", () => identify(first))
    .add("parseDuration()", () => parseDuration("10ms"));
  await bench.run();
  const rows = bench.tasks.map(({ name, result }) => {
    if (result.state !== "completed") return [name, "–", "–", "failed"];
    const { p50, p99, samplesCount } = result.latency;
    return [name, time(p50 * 1e6), time(p99 * 1e6), String(samplesCount)];
  });
  console.log(table(["call", "p50", "p99", "samples"], rows));
  console.log(`\n${availableParallelism()} CPUs, Node ${process.version}`);
} finally {
  await hobbler.close();
  await herd.end();
}
