/**
 * `npm run bench:limit [-- accuracy|pools|freezing|bystanders …] [--quick] [--only=TEXT]` (cases and peers whose name holds TEXT): how near CPU limits are to what was asked, how fair pools are, what both cost, and
 * what others on the host notice. Peers run in the same run.
 */
import os from "node:os";
import { accuracyCases, measureAccuracy } from "./limit/accuracy.js";
import { bystanderCases, measureBystander } from "./limit/bystanders.js";
import { measureFreezing } from "./limit/freezing.js";
import { cpulimit, hobble, quota } from "./limit/limiters.js";
import { measurePool, poolCases } from "./limit/pools.js";
import { table } from "./report/table.js";

const words = process.argv.slice(2);
const quick = words.includes("--quick");
const parts = words.filter((word) => !word.startsWith("--"));
const wanted = (part: string) => parts.length === 0 || parts.includes(part);

const only = words.find((word) => word.startsWith("--only="))?.slice("--only=".length) ?? "";
const chosen = <T extends { name: string }>(all: readonly T[]): readonly T[] => {
  const some = all.filter(({ name }) => name.includes(only));
  return some.length > 0 ? some : all;
};

const say = (text: string) => process.stdout.write(`${text}\n`);
const percent = (share: number, digits = 2) => (Number.isNaN(share) ? "-" : `${(share * 100).toFixed(digits)} %`);
const signed = (error: number) => `${error > 0 ? "+" : ""}${(error * 100).toFixed(2)} %`;
const microseconds = (ns: number) => `${(ns / 1e3).toFixed(0)} us`;

say(
  `Linux ${os.release()}, ${os.cpus().length} CPUs, load ${os.loadavg()[0]?.toFixed(2)}, as ${process.getuid?.() === 0 ? "root" : "an ordinary user"}\n`,
);

if (wanted("accuracy")) await accuracy(quick ? 5 : 10, quick ? 1 : 3);
if (wanted("pools")) await pools(quick ? 8 : 20);
if (wanted("freezing")) await freezing(quick ? 2 : 5, quick ? 1 : 3);
if (wanted("bystanders")) await bystanders(quick ? 4 : 10);

async function freezing(seconds: number, rounds: number): Promise<void> {
  const members = 100;
  const costs = await measureFreezing(members, seconds, rounds);
  if (costs === undefined) {
    say("no freezing: no group of cgroup v2 can be made here\n");
    return;
  }
  const median = (via: "freeze" | "signal") => {
    const sorted = costs
      .filter((cost) => cost.via === via)
      .map(({ cycleNs }) => cycleNs)
      .toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  const [freeze, signal] = [median("freeze"), median("signal")];
  say(`stopping and resuming ${members} sleeping processes once, CPU time of the engine (median of ${rounds})\n`);
  say(`cgroup.freeze ${microseconds(freeze)}, signals ${microseconds(signal)}: ${(freeze / signal).toFixed(2)} of it\n`);
}

async function accuracy(seconds: number, trials: number): Promise<void> {
  const limiters = chosen([hobble, cpulimit, quota]);
  const there = limiters.filter((limiter) => limiter.missing() === undefined);
  for (const limiter of limiters) if (limiter.missing() !== undefined) say(`no ${limiter.name}: ${limiter.missing()}`);
  say(`CPU share over ${seconds} s and its relative error (median of ${trials}, and the worst); error of the first second\n`);
  const rows: string[][] = [];
  for (const one of chosen(accuracyCases)) {
    const cells: string[] = [];
    for (const limiter of there) {
      if (one.work[0] === "tree" && !limiter.trees) {
        cells.push("-", "-", "-");
        continue;
      }
      const { share, error, worstShare, firstSecondError } = await measureAccuracy(limiter, one, seconds, trials);
      cells.push(percent(share), `${signed(error)} (${signed(worstShare / one.cpus - 1)})`, signed(firstSecondError));
      process.stderr.write(`${one.name}, ${limiter.name}: ${percent(share)}\n`);
    }
    rows.push([one.name, ...cells]);
  }
  say(`${table(["asked", ...there.flatMap(({ name }) => [name, "error (worst)", "first s"])], rows)}\n`);
}

async function pools(seconds: number): Promise<void> {
  say(`Pools of 0.5 CPU over ${seconds} s\n`);
  const rows: string[][] = [];
  for (const one of chosen(poolCases(seconds))) {
    const { total, worst, engine, process, signalsPerSecond, idleSignals, scheduler } = await measurePool(one);
    const spent = one.busy > 0 ? total.toFixed(4) : "-";
    rows.push([
      one.name,
      spent,
      percent(worst),
      percent(engine),
      percent(process),
      signalsPerSecond.toFixed(0),
      String(idleSignals),
      scheduler,
    ]);
  }
  say(`${table(["targets", "CPUs", "worst from fair", "engine", "whole process", "signals/s", "to idle ones", "scheduler"], rows)}\n`);
}

async function bystanders(seconds: number): Promise<void> {
  say(`A bystander beside 100 busy processes that may use 0.1 CPU together: ${seconds} s each\n`);
  const rows: string[][] = [];
  let idle: number | undefined;
  for (const one of chosen(bystanderCases())) {
    if (one.missing !== undefined) {
      say(`no ${one.name}: ${one.missing}`);
      continue;
    }
    const { p50, p99, max, throughput } = await measureBystander(one, seconds);
    if (!one.busy) idle = throughput;
    rows.push([one.name, microseconds(p50), microseconds(p99), microseconds(max), percent(throughput / (idle ?? Number.NaN), 1)]);
  }
  say(`${table(["", "wake-up p50", "p99", "max", "throughput"], rows)}\n`);
}
