/** Owners and guardians die in all sorts of ways, at random moments: nothing may be left stopped. */
import { Herd, type Load } from "../herd.js";
import { summarize } from "../statistics.js";
import type { Lengths } from "./lengths.js";
import type { OwnerOptions } from "./owner.js";
import { States } from "./states.js";
import { type Outcome, trial, type Way } from "./trial.js";
import type { Verdicts } from "./verdicts.js";
import { deaths, guardianDeaths, outOfMemory, suspension } from "./ways.js";

const lifetimeSeconds = 3600;

async function repeat(
  count: number,
  way: Way,
  herd: Herd,
  states: States,
  verdicts: Verdicts,
  terms: Partial<OwnerOptions> = {},
): Promise<void> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < count; i++) {
    outcomes.push(await trial(way, { pids: herd.pids, run: "10ms", stop: "250ms", tree: false, hobbler: {}, ...terms }, states));
  }
  const left = outcomes.filter((outcome) => outcome.left > 0).length;
  const { p50, p99, max } = summarize(outcomes.map(({ resumedMs }) => resumedMs).filter((ms) => !Number.isNaN(ms)));
  const times = `running after p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(1)} ms`;
  verdicts.tell(left === 0, `${way.name}: ${outcomes.length} times, left stopped ${left} times; ${times}`);
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

export async function ownerDeaths({ trials, suspensionMs }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading("deaths of the owner; 200 sleeping targets, run 10 ms, stop 250 ms");
  await withHerd(200, "idle", async (herd, states) => {
    for (const way of deaths) await repeat(trials, way, herd, states, verdicts);
    await repeat(Math.ceil(trials / 5), suspension(suspensionMs), herd, states, verdicts);
    const oom = outOfMemory();
    if (oom === undefined) verdicts.skip("OOM kill: no memory controller may be used here");
    else {
      await repeat(Math.ceil(trials / 5), oom, herd, states, verdicts);
      oom.end();
    }
  });
}

export async function deathsOfGuardians({ trials }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading("deaths of the guardian; 200 sleeping targets");
  await withHerd(200, "idle", async (herd, states) => {
    for (const way of guardianDeaths) await repeat(Math.ceil(trials / 2), way, herd, states, verdicts);
  });
}

export async function busyDeaths({ busyTargets, busyTrials }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading(`deaths of the owner; ${busyTargets} busy targets`);
  await withHerd(busyTargets, "busy", async (herd, states) => {
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
    await repeat(busyTrials, gated, herd, states, verdicts);
  });
}

/** Most of them are stopped at any moment: those that wait for their turn, or have spent their limit. */
export async function limitedDeaths({ trials, suspensionMs }: Lengths, verdicts: Verdicts): Promise<void> {
  const terms: [string, Partial<OwnerOptions>][] = [
    ["a pool of half a CPU, one at a time", { pool: { limit: 0.5, concurrency: 1 } }],
    ["a limit of 1 % for each", { limit: "1%" }],
  ];
  await withHerd(200, "busy", async (herd, states) => {
    herd.go();
    for (const [name, limited] of terms) {
      verdicts.heading(`deaths of the owner; 200 busy targets in ${name}`);
      const [byKill, byFault] = deaths;
      if (byKill === undefined || byFault === undefined) return;
      await repeat(Math.ceil(trials / 2), byKill, herd, states, verdicts, limited);
      await repeat(Math.ceil(trials / 5), byFault, herd, states, verdicts, limited);
      await repeat(Math.ceil(trials / 25), suspension(suspensionMs), herd, states, verdicts, limited);
      const both = guardianDeaths.at(-1);
      if (both !== undefined) await repeat(Math.ceil(trials / 10), both, herd, states, verdicts, limited);
    }
  });
}
