/** What it costs to look at all processes, beside the package ps-list. */
import { setTimeout as sleep } from "node:timers/promises";
import psList from "ps-list";
// Not public, but what the daemon looks with.
import { ProcSource } from "../../dist/discovery/proc.js";
import type { ProcessText } from "../../dist/discovery/process-info.js";
import { Herd } from "../herd.js";
import { atMost, type Figure } from "../report/figures.js";
import { median } from "../statistics.js";
import { costMs, longestDelayMs } from "./costs.js";

const whatPsListTells: readonly ProcessText[] = ["user", "executable", "commandLine"];

export async function scanning(processes: number, rounds: number): Promise<Figure[]> {
  const herd = await Herd.start({ kind: "idle", lifetimeSeconds: 600, shortestGapMs: 1, userId: undefined, count: processes });
  try {
    return await measure(processes, rounds);
  } finally {
    await herd.end();
  }
}

async function measure(processes: number, rounds: number): Promise<Figure[]> {
  await psList();
  const costs = {
    psList: [] as number[],
    first: [] as number[],
    whole: [] as number[],
    later: [] as number[],
    firstDelay: [] as number[],
    laterDelay: [] as number[],
  };
  for (let round = 0; round < rounds; round++) {
    costs.psList.push(await costMs(() => psList()));
    const source = new ProcSource(whatPsListTells);
    costs.first.push(await costMs(() => source.list()));
    await sleep(500);
    costs.later.push(await costMs(() => source.list()));
    const whole = new ProcSource([...whatPsListTells, "groups", "cgroup"]);
    costs.whole.push(await costMs(() => whole.list()));
    const watched = new ProcSource(whatPsListTells);
    costs.firstDelay.push(await longestDelayMs(() => watched.list()));
    for (let i = 0; i < 3; i++) costs.laterDelay.push(await longestDelayMs(() => watched.list()));
  }
  const peer = median(costs.psList);
  const scenario = `scanning ${processes} processes`;
  const ofPeer = (ms: number) => `${ms.toFixed(1)} ms, 1/${(peer / ms).toFixed(1)} of ps-list's ${peer.toFixed(0)} ms`;
  const inMs = (ms: number) => `${ms.toFixed(2)} ms`;
  return [
    atMost(scenario, "first scan, what ps-list tells too", median(costs.first), peer / 3, ofPeer),
    {
      scenario,
      what: "first scan, groups and cgroup too",
      asked: "",
      measured: ofPeer(median(costs.whole)),
      met: undefined,
    },
    atMost(scenario, "later scans", median(costs.later), peer / 10, ofPeer),
    atMost(scenario, "longest delay of the event loop, first scans, median", median(costs.firstDelay), 5, inMs),
    atMost(scenario, "the same, most", Math.max(...costs.firstDelay), 5, inMs),
    atMost(scenario, "longest delay of the event loop, later scans, median", median(costs.laterDelay), 5, inMs),
    atMost(scenario, "the same, most", Math.max(...costs.laterDelay), 5, inMs),
  ];
}
