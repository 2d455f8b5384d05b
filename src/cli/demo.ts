/** `hobble demo`: starts a few burners, hobbles them for some seconds, and shows what came of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { Hobbler } from "../hobbler.js";
import type { HobblerStats } from "../stats.js";
import type { TargetStats } from "../target-stats.js";
import { startBurners } from "./burners.js";
import { exitCodesHelp } from "./exit.js";
import { endSignal, pauseWhenStopped } from "./lifetime.js";
import { formatFacts, formatNs, formatShare, formatTable } from "./output.js";
import { ShareMeter, showShares } from "./share-meter.js";
import { outputClosed, print, printJson } from "./streams.js";
import { engineFacts, processCpuShare } from "./summary.js";

const burnerCount = 4;
const run = "10ms";
const stop = "250ms";
const freeMs = 1000;
const hobbledMs = 6000;
/** Largest relative difference of duty achieved and asked that passes. */
const tolerance = 0.02;

const help = `
It starts ${burnerCount} processes that burn CPU, lets them run for ${freeMs / 1000} s, hobbles them for ${hobbledMs / 1000} s (run ${run}, stop ${stop}),
and ends them. The duty achieved is computed from the times of the signals.

Examples:
  hobble demo
  hobble demo --json | jq .targets
${exitCodesHelp}`;

export function demoCommand(program: Command): void {
  program
    .command("demo")
    .summary("start a few burners, hobble them, show what happens")
    .description(
      "Starts a few processes that burn CPU, hobbles them for some seconds, and shows what came of it. It leaves nothing behind.",
    )
    .option("--json", "the result as one JSON object")
    .addHelpText("after", help)
    .action(demo);
}

interface DemoTarget {
  stats: TargetStats;
  /** Share of one CPU that it spent, before it was hobbled and while it was. */
  freeShare: number;
  hobbledShare: number;
}

async function demo(flags: { json?: true }): Promise<void> {
  const say = flags.json ? () => {} : (line: string) => print(`${line}\n`);
  const ended = Promise.race([endSignal(), outputClosed()]).then(() => true);
  // The burners keep the event loop alive; the rest of the sleep must not.
  const goesOn = async (ms: number) => !(await Promise.race([ended, sleep(ms, false, { ref: false })]));

  say(`starting ${burnerCount} processes that burn CPU`);
  await using burners = await startBurners(burnerCount);
  const { pids } = burners;
  const free = new ShareMeter(pids);
  if (!(await goesOn(freeMs))) return;
  const freeShares = free.shares();

  const began = process.cpuUsage();
  await using hobbler = new Hobbler();
  pauseWhenStopped(hobbler);
  const targets = pids.map((pid) => hobbler.add(pid, { run, stop }));
  await Promise.all(targets.map((target) => target.ready));
  say(`hobbling them for ${hobbledMs / 1000} s: run ${run}, stop ${stop}`);
  const hobbled = new ShareMeter(pids);
  const ticker = flags.json ? undefined : showShares(pids);
  await goesOn(hobbledMs);
  ticker?.stop();

  const hobbledShares = hobbled.shares();
  const engine = hobbler.stats();
  const results = hobbler.targetStats().map((stats, index) => ({
    stats,
    freeShare: freeShares[index] ?? Number.NaN,
    hobbledShare: hobbledShares[index] ?? Number.NaN,
  }));
  const ownShare = processCpuShare(engine.elapsedNs, began);
  const missed = results.filter(({ stats }) => dutyError(stats) > tolerance).length;
  if (flags.json) printJson({ targets: results, tolerance, missed, processCpuShare: ownShare, engine });
  else printResult(results, missed, engine, ownShare);
}

function dutyError({ dutyAsked = Number.NaN, dutyAchieved }: TargetStats): number {
  return dutyAchieved === undefined ? Number.POSITIVE_INFINITY : Math.abs(dutyAchieved / dutyAsked - 1);
}

function printResult(results: readonly DemoTarget[], missed: number, engine: HobblerStats, ownShare: number): void {
  const heading = ["process", "CPU before", "duty asked", "achieved", "CPU spent", "cycles", "run error p99", "stop error p99"];
  const rows = results.map(({ stats, freeShare, hobbledShare }) => [
    String(stats.pid),
    formatShare(freeShare),
    formatShare(stats.dutyAsked),
    formatShare(stats.dutyAchieved),
    formatShare(hobbledShare),
    String(stats.cycles),
    formatNs(stats.runError.p99Ns),
    formatNs(stats.stopError.p99Ns),
  ]);
  const worst = formatShare(Math.max(...results.map(({ stats }) => dutyError(stats))));
  const verdict =
    missed === 0
      ? `Every duty achieved is within ${formatShare(tolerance)} of the one asked for (largest difference ${worst}).`
      : `MISSED: ${missed} of ${results.length} duties are more than ${formatShare(tolerance)} off (largest difference ${worst}).`;
  const lines = ["", ...formatTable([heading, ...rows]), "", ...formatFacts(engineFacts(engine, ownShare)), "", verdict];
  print(`${lines.join("\n")}\n`);
}
