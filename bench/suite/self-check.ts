/** Is the referee right? A contestant whose errors are known, and what the referee finds of them; and what it costs those who are watched. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { bareloop } from "../contestants/bareloop.js";
import { Herd } from "../herd.js";
import { nativeProgram } from "../native-programs.js";
import type { Referee } from "../referee/referee.js";
import { median } from "../statistics.js";
import { type BenchLab, type BenchScenario, cycle } from "./bench-lab.js";
import type { SelfCheck } from "./results.js";

const us = 1e3;
const injectedNs = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000].map((error) => error * us);
const runUs = 5000;
const stopUs = 10_000;
/** Right means: within this, or within this share of the error. */
const absoluteNs = 5e3;
const relative = 0.01;

/** The clock just before and just after each of its two signals. */
interface InjectedWindow {
  errorNs: number;
  resumedNs: number;
  resumedByNs: number;
  stoppedNs: number;
  stoppedByNs: number;
}

async function inject(pid: number, windowsEach: number): Promise<InjectedWindow[]> {
  const args = [pid, runUs, stopUs, windowsEach, ...injectedNs].map(String);
  const { stdout } = await promisify(execFile)(nativeProgram("synthetic"), args);
  const lines = stdout.trim().split("\n");
  return lines.map((line) => {
    const [errorNs = 0, resumedNs = 0, resumedByNs = 0, stoppedNs = 0, stoppedByNs = 0] = line.split(" ").map(Number);
    return { errorNs, resumedNs, resumedByNs, stoppedNs, stoppedByNs };
  });
}

/** One check for each injected error. The first window's resumption is the referee's second edge, and so on. */
export async function checkReferee(referee: Referee, windowsEach: number): Promise<SelfCheck[]> {
  // Seen by the signals themselves a sleeping target will do; else it has to be one that watches the clock.
  const kind = referee.herdKind("idle") ?? "probe";
  const herd = await Herd.start({ count: 1, kind, lifetimeSeconds: 120, shortestGapMs: stopUs / 2e3, userId: undefined });
  try {
    referee.begin(herd, 4 * windowsEach * injectedNs.length);
    herd.go();
    const [pid = 0] = herd.pids;
    const injected = await inject(pid, windowsEach);
    const edges = (await referee.end(herd)).get(pid) ?? { timesNs: [], stops: [] };
    const seen = edges.timesNs.flatMap((from, index) => {
      const to = edges.timesNs[index + 1];
      return edges.stops[index] || to === undefined ? [] : [{ from, to }];
    });
    return injectedNs.map((errorNs) => judge(referee, errorNs, injected, seen));
  } finally {
    await herd.end();
  }
}

function judge(
  referee: Referee,
  errorNs: number,
  injected: readonly InjectedWindow[],
  seen: readonly { from: number; to: number }[],
): SelfCheck {
  const own = injected.filter((window) => window.errorNs === errorNs);
  const found = own.flatMap((window) => {
    // The referee's window is the one that ends nearest to where this one was ended.
    const match = seen.find(({ from, to }) => Math.abs(to - window.stoppedNs) < 2e6 && from > window.resumedNs - 2e6);
    if (match === undefined) return [];
    const off = outside(match.from, window.resumedNs, window.resumedByNs) + outside(match.to, window.stoppedNs, window.stoppedByNs);
    return [{ errorNs: match.to - match.from - runUs * us, off }];
  });
  const worstNs = Math.max(...found.map(({ off }) => off));
  return {
    referee: referee.name,
    injectedNs: errorNs,
    foundNs: median(found.map(({ errorNs }) => errorNs)),
    windows: found.length,
    worstNs,
    judged: referee.herdKind("idle") !== undefined,
    right: own.length > 0 && found.length === own.length && worstNs <= Math.max(absoluteNs, errorNs * relative),
  };
}

/** How far a moment lies outside of the time in which the signal was sent. The sender may have been held up within it: that is its own doing. */
function outside(time: number, before: number, after: number): number {
  return Math.max(0, before - time, time - after);
}

const rightPriority = 50;

/** The cost of one signal of the bare loop, watched and not watched, in turns. */
async function disturbance(lab: BenchLab): Promise<void> {
  const count = 200;
  const seconds = lab.effort.name === "full" ? 2 : 0.5;
  const herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 120, shortestGapMs: 1, userId: undefined });
  try {
    for (let round = 0; round < Math.max(2, lab.effort.rounds); round++) {
      for (const watched of [true, false]) {
        if (watched) lab.signals.begin(herd, 4 * count * seconds * 8);
        const { cpuNs, signals } = await bareloop(herd.pids, cycle, seconds, lab.root ? rightPriority : 0);
        if (watched) await lab.signals.end(herd);
        lab.found.observations.push({
          scenario: "referee",
          point: `${count} idle`,
          count,
          contestant: watched ? "bare loop, watched" : "bare loop, unwatched",
          round,
          metrics: { perSignal: { kind: "ratio", parts: [[cpuNs, signals]] } },
        });
      }
    }
  } finally {
    await herd.end();
  }
}

export const selfCheck: BenchScenario = {
  name: "referee",
  about: "known errors injected and found again; what being watched costs",
  async run(lab) {
    const windowsEach = lab.effort.name === "full" ? 10 : 7;
    const both = lab.effort.name === "full" && lab.signals !== lab.gaps;
    for (const referee of both ? [lab.signals, lab.gaps] : [lab.signals]) {
      lab.log(`referee: ${referee.name}`);
      lab.found.selfChecks.push(...(await checkReferee(referee, windowsEach)));
    }
    if (lab.signals.herdKind("idle") !== undefined) await disturbance(lab);
  },
};
