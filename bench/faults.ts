/**
 * Fault injection: kills owners, guardians and members in all sorts of ways, at random moments, and counts what is left stopped. Nothing may be.
 *
 *   npm run test:faults                    the full length (some 1,000 deaths, about a quarter of an hour)
 *   npm run test:faults -- --quick         a few of each (a minute)
 *   npm run test:faults -- --trials 200    so many of each
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Hobbler } from "hobble";
import { States } from "./faults/states.js";
import { type Outcome, trial, type Way } from "./faults/trial.js";
import { deaths, guardianDeaths, outOfMemory, startTree, suspension } from "./faults/ways.js";
import { Herd, type Load } from "./herd.js";
import { summarize } from "./statistics.js";

const { values: flags } = parseArgs({ options: { quick: { type: "boolean" }, trials: { type: "string" }, busy: { type: "string" } } });
const quick = flags.quick ?? false;
const trials = Number(flags.trials ?? (quick ? 5 : 125));
const lifetimeSeconds = 3600;

let failed = 0;
let passed = 0;

function tell(name: string, outcomes: readonly Outcome[], note = ""): void {
  const left = outcomes.filter((outcome) => outcome.left > 0).length;
  const { p50, p99, max } = summarize(outcomes.map(({ resumedMs }) => resumedMs).filter((ms) => !Number.isNaN(ms)));
  if (left === 0) passed++;
  else failed++;
  const times = `running after p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(1)} ms`;
  console.log(`${left === 0 ? "ok  " : "FAIL"} ${name}: ${outcomes.length} times, left stopped ${left} times; ${times}${note}`);
}

async function repeat(count: number, way: Way, herd: Herd, states: States): Promise<void> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < count; i++) {
    outcomes.push(await trial(way, { pids: herd.pids, run: "10ms", stop: "250ms", tree: false, hobbler: {} }, states));
  }
  tell(way.name, outcomes);
}

async function withHerd(count: number, kind: Load, work: (herd: Herd, states: States) => Promise<void>): Promise<void> {
  const herd = await Herd.start({ count, kind, lifetimeSeconds, shortestGapMs: 1, userId: undefined });
  const states = new States(herd.pids);
  try {
    await work(herd, states);
  } finally {
    states.close();
    await herd.end();
  }
}

/** A middle process of a tree dies while all of it is stopped: its child must run again, hobbled or not. */
async function ancestorsDie(count: number): Promise<void> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < count; i++) {
    const tree = await startTree();
    const [root = 0, middle = 0, leaf = 0] = tree.pids;
    const survivors = new States([root, leaf]);
    const hobbler = new Hobbler();
    try {
      const target = hobbler.add({ tree: root }, { run: "5ms", stop: "100ms" });
      await target.ready;
      await sleep(20 + Math.random() * 120);
      process.kill(middle, "SIGKILL");
      await sleep(Math.random() * 120);
      await target.release();
      outcomes.push({ left: survivors.stopped(), resumedMs: 0 });
    } finally {
      survivors.close();
      await hobbler.close();
      tree.end();
    }
  }
  tell("an ancestor is killed in a tree that is hobbled, then release", outcomes);
}

// Above the busy targets, below the engine (50) and its guardian (51); else our own looks would come late.
try {
  execFileSync("chrt", ["-a", "-f", "-p", "40", String(process.pid)]);
} catch {
  console.log("no real-time rights: the times below are our own lateness too");
}

await withHerd(200, "idle", async (herd, states) => {
  console.log("200 sleeping targets, run 10 ms, stop 250 ms");
  for (const way of deaths) await repeat(trials, way, herd, states);
  await repeat(Math.ceil(trials / 5), suspension, herd, states);
  for (const way of guardianDeaths) await repeat(Math.ceil(trials / 2), way, herd, states);
  const oom = outOfMemory();
  if (oom === undefined) console.log("skip OOM kill: no memory controller of cgroup v1 may be used here");
  else {
    await repeat(Math.ceil(trials / 10), oom, herd, states);
    oom.end();
  }
});
await ancestorsDie(quick ? 10 : 100);
const busy = Number(flags.busy ?? (quick ? 100 : 1000));
await withHerd(busy, "busy", async (herd, states) => {
  console.log(`${busy} busy targets, run 10 ms, stop 250 ms`);
  const [way] = deaths;
  if (way === undefined) return;
  let first = true;
  const gated: Way = {
    ...way,
    strike(owner) {
      if (first) herd.go();
      first = false;
      way.strike(owner);
    },
  };
  await repeat(quick ? 3 : 50, gated, herd, states);
});
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
