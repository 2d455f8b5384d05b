/**
 * What leases and guardian cost the timer thread, measured in turn with an engine that is compiled without leases; and what it costs to look for
 * foreign stops.
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Hobbler } from "hobble";
import { Herd } from "../herd.js";
import { repository, sourceProgram } from "../native-programs.js";
import { summarize } from "../statistics.js";
import type { Lengths } from "./lengths.js";
import type { Verdicts } from "./verdicts.js";

const targets = 200;
const secondsEach = 4;
/** Leases and guardian together. */
const admittedShare = 0.03;
const lookTargets = 1000;
const lookSeconds = 10;

interface Cost {
  nsPerSignal: number;
  guardianMs: number;
  leaseNs: number;
}

function measure(program: string, guardian: string): Cost {
  const words = [String(targets), String(secondsEach), guardian];
  const [signals = 0, cpuNs = 0, ticks = 0, leaseNs = Number.NaN] = execFileSync(program, words, { encoding: "utf8" })
    .trim()
    .split(" ")
    .map(Number);
  return { nsPerSignal: cpuNs / signals, guardianMs: ticks * 10, leaseNs };
}

const median = (values: readonly number[]) => summarize(values).p50;

export async function leaseCost({ costRounds }: Lengths, verdicts: Verdicts): Promise<void> {
  if (costRounds === 0) return;
  verdicts.heading(`cost; ${targets} sleeping targets, run 10 ms, stop 10 ms, ${costRounds} rounds of ${secondsEach} s in turn`);
  const parts = readdirSync(`${repository}/native/engine`).flatMap((name) => (/^(?!addon).*\.cc$/.test(name) ? name.slice(0, -3) : []));
  const withLeases = sourceProgram("lease-cost", parts, []);
  const without = sourceProgram("lease-cost", parts, ["-DHOBBLE_WITHOUT_LEASES"], "-without");
  const costs: { with: Cost; without: Cost }[] = [];
  for (let round = 0; round < costRounds; round++) {
    const one = () => measure(withLeases, `${repository}/build/Release/hobble_guardian`);
    const other = () => measure(without, "-");
    // Whoever goes second finds a warmer machine.
    if (round % 2 === 0) costs.push({ with: one(), without: other() });
    else costs.push({ without: other(), with: one() });
  }
  const [a, b] = [median(costs.map((cost) => cost.with.nsPerSignal)), median(costs.map((cost) => cost.without.nsPerSignal))];
  const ratios = costs.map((cost) => cost.with.nsPerSignal / cost.without.nsPerSignal - 1).sort((x, y) => x - y);
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const quarter = ratios[Math.floor(ratios.length / 4)] ?? Number.NaN;
  const spread = `${percent(ratios[0] ?? Number.NaN)} to ${percent(ratios.at(-1) ?? Number.NaN)} in single rounds, above ${percent(quarter)} in three of four`;
  const leaseNs = median(costs.map((cost) => cost.with.leaseNs));
  const guardianMs = median(costs.map((cost) => cost.with.guardianMs));
  verdicts.tell(
    leaseNs / b < admittedShare,
    `writing a lease takes ${leaseNs.toFixed(1)} ns, ${percent(leaseNs / b)} of what a signal costs`,
  );
  // Rounds differ by far more than what is looked for: it is found wanting when three of four say so.
  verdicts.tell(
    quarter < admittedShare,
    `with leases and guardian ${a.toFixed(0)} ns a signal, without ${b.toFixed(0)} ns: ${percent(a / b - 1)} more (${spread})`,
  );
  verdicts.note(`the guardian itself: ${guardianMs} ms of CPU in ${secondsEach + 1} s`);
  await costOfLooks(verdicts);
}

async function costOfLooks(verdicts: Verdicts): Promise<void> {
  for (const kind of ["idle", "busy"] as const) {
    const herd = await Herd.start({ count: lookTargets, kind, lifetimeSeconds: 120, shortestGapMs: 1, userId: undefined });
    try {
      const shares: Record<string, number> = {};
      let looks = 0;
      for (const foreignStops of ["ignore", "respect"] as const) {
        const hobbler = new Hobbler({ foreignStops });
        await Promise.all(herd.pids.map((pid) => hobbler.add(pid, { run: "10ms", stop: "250ms" }).ready));
        if (foreignStops === "ignore") herd.go();
        await sleep(1000);
        const before = hobbler.stats();
        await sleep(lookSeconds * 1000);
        const after = hobbler.stats();
        shares[foreignStops] = (after.scoutCpuNs - before.scoutCpuNs) / (after.elapsedNs - before.elapsedNs);
        looks = (after.foreignLooks - before.foreignLooks) / lookSeconds;
        await hobbler.close();
      }
      const percent = (share = 0) => `${(share * 100).toFixed(1)} %`;
      const cycles = (lookTargets / 0.26).toFixed(0);
      verdicts.note(
        `${lookTargets} ${kind} targets, run 10 ms, stop 250 ms: the helper thread uses ${percent(shares.respect)} of a CPU, ` +
          `${percent(shares.ignore)} without looks; ${looks.toFixed(0)} looks for ${cycles} cycles a second`,
      );
    } finally {
      await herd.end();
    }
  }
}
