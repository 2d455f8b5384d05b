/** The report: the same facts as Markdown for people and as JSON for programs. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { Run } from "../measure.js";
import { repository } from "../native-programs.js";
import { cpuShare, type Floor, type Outcome } from "../scenarios/scenario.js";
import { summarizeErrors } from "../statistics.js";
import type { Figure } from "./figures.js";
import type { Host } from "./host.js";
import { table } from "./table.js";
import { partsPerMillion, percent, time } from "./units.js";

export interface Report {
  host: Host;
  referee: string;
  outcome: Outcome;
}

export function markdown({ host, referee, outcome }: Report): string {
  const { runs, floors, figures, notes } = outcome;
  const sections = [
    `# hobble ${host.hobble}, ${host.date}`,
    `${host.cpus} × ${host.cpu}, Linux ${host.kernel}, Node ${host.node}. Referee: ${referee}.`,
    "## Window errors",
    table(
      [
        "scenario",
        "contestant",
        "windows",
        "run p50",
        "p90",
        "p99",
        "max",
        "stop p99",
        "duty",
        "missed",
        "drift",
        "CPU",
        "per signal",
        "steal",
      ],
      runs.map(({ scenario, run }) => [scenario, run.contestant, ...windowCells(run)]),
      2,
    ),
    "## Lateness of hobble",
    "By the referee: against the most punctual tenth of each target's signals. By the engine: against its deadlines, since its start.",
    table(
      ["scenario", "p50", "p99", "max", "engine p50", "engine p99", "scheduler", "wake-ups/s", "deferred", "skipped"],
      runs.flatMap(({ scenario, run }) => (run.stats === undefined ? [] : [[scenario, ...latenessCells(run, run.stats.engine)]])),
    ),
    ...(floors.length > 0 ? ["## The floor: latency of cyclictest", floorTable(floors)] : []),
    "## Figures asked",
    table(["scenario", "figure", "asked", "measured", "met"], figures.map(figureCells), 2),
    ...(notes.length > 0 ? ["## Notes", notes.map((note) => `- ${note}`).join("\n")] : []),
  ];
  return `${sections.join("\n\n")}\n`;
}

function floorTable(floors: readonly Floor[]): string {
  return table(
    ["scenario", "samples", "p50", "p90", "p99", "max", "steal"],
    floors.map(({ scenario, latency, steal }) => [
      scenario,
      String(latency.count),
      ...[latency.p50, latency.p90, latency.p99, latency.max].map(time),
      percent(steal),
    ]),
  );
}

function windowCells(run: Run): string[] {
  const { runErrorsNs, stopErrorsNs, duty, missed, driftPpm } = run.windows;
  const runs = summarizeErrors(runErrorsNs);
  return [
    String(runs.count),
    ...[runs.p50, runs.p90, runs.p99, runs.max, summarizeErrors(stopErrorsNs).p99].map(time),
    percent(duty),
    String(missed),
    partsPerMillion(driftPpm),
    percent(cpuShare(run)),
    time(run.cpuNs / run.signals),
    percent(run.steal),
  ];
}

function latenessCells(run: Run, engine: NonNullable<Run["stats"]>["engine"]): string[] {
  const seen = summarizeErrors(run.windows.latenessNs);
  return [
    ...[seen.p50, seen.p99, seen.max, engine.lateness.p50Ns, engine.lateness.p99Ns].map(time),
    engine.scheduler,
    (engine.wakeups / (engine.elapsedNs / 1e9)).toFixed(0),
    String(engine.deferredWindows),
    String(engine.skippedWindows),
  ];
}

function figureCells({ scenario, what, asked, measured, met }: Figure): string[] {
  return [scenario, what, asked, measured, met === undefined ? "not measured" : met ? "yes" : "NO"];
}

/** Writes the report as JSON, summaries instead of single windows; returns the path. */
export function writeJson({ host, referee, outcome }: Report): string {
  const runs = outcome.runs.map(({ scenario, run: { windows, ...run } }) => ({
    scenario,
    ...run,
    windows: {
      processes: windows.processes,
      runError: summarizeErrors(windows.runErrorsNs),
      stopError: summarizeErrors(windows.stopErrorsNs),
      lateness: summarizeErrors(windows.latenessNs),
      duty: windows.duty,
      missed: windows.missed,
      driftPpm: windows.driftPpm,
      cutRunWindows: windows.cutRunErrorsNs.length,
    },
  }));
  const directory = `${repository}/bench/results`;
  mkdirSync(directory, { recursive: true });
  const path = `${directory}/precision-${host.date.replaceAll(":", "-")}.json`;
  writeFileSync(path, `${JSON.stringify({ host, referee, ...outcome, runs }, undefined, 2)}\n`);
  return path;
}
