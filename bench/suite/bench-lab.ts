/** What every scenario of the suite is given. */
import type { Entrant } from "../contestants/entrants.js";
import { openClockGapReferee } from "../referee/clock-gap.js";
import { type CpuMeter, openCpuMeter } from "../referee/cpu-meter.js";
import { type FreezeReferee, openFreezeReferee } from "../referee/freezes.js";
import { openReferee, type Referee } from "../referee/referee.js";
import type { Cycle } from "../referee/windows.js";
import type { CheckResult, Observation, SelfCheck, Timeline } from "./results.js";

/** The cycle of the experiment that started it all. */
export const cycle: Cycle = { runMs: 10, stopMs: 250 };

/** How much of everything: a quick look, or all of it. */
export interface Effort {
  name: "quick" | "full" | "tiny";
  rounds: number;
  /**
   * Measured time of one run: whole periods, or whoever keeps in step would get a window more or less. How it is cut. And what goes before it: so long that
   * the first stop of everybody is over, which may be longer or shorter, and that hobble has gathered those that sleep, which shifts one more.
   */
  seconds: number;
  sliceSeconds: number;
  warmupSeconds: number;
  /** Names of the scenarios unless others are asked for; all where undefined. */
  scenarios?: readonly string[];
  /** hobble in its other precisions too, unless contestants are named. */
  precisions: boolean;
  /** Numbers of targets. */
  idle: readonly number[];
  busy: readonly number[];
  /** Names of the points of the scenario windows; all where undefined. */
  points?: readonly string[];
}

/** What two minutes have room for: the questions that are asked first. */
const firstQuestions = ["referee", "functional", "windows", "experiment", "limits", "bystanders", "recovery"];
const times = (seconds: number, sliceSeconds: number, warmupSeconds: number) => ({ seconds, sliceSeconds, warmupSeconds });

export const efforts: Record<Effort["name"], Effort> = {
  tiny: { name: "tiny", rounds: 1, ...times(1, 0.25, 0.6), precisions: true, idle: [20], busy: [] },
  quick: { name: "quick", rounds: 2, ...times(0.52, 0.13, 0.52), scenarios: firstQuestions, precisions: false, idle: [], busy: [100] },
  full: { name: "full", rounds: 2, ...times(0.78, 0.195, 1.04), precisions: true, idle: [10, 100, 1000], busy: [1, 100, 1000] },
};

export interface Findings {
  observations: Observation[];
  checks: CheckResult[];
  selfChecks: SelfCheck[];
  timelines: Timeline[];
  notes: string[];
}

function nothingFound(): Findings {
  return { observations: [], checks: [], selfChecks: [], timelines: [], notes: [] };
}

export interface BenchLab {
  effort: Effort;
  /** Those that can take part, in the order in which they take turns. */
  entrants: readonly Entrant[];
  signals: Referee;
  /** Undefined: no tracing here, so nobody can tell. */
  freezes: FreezeReferee | undefined;
  /** Busy targets that watch the clock: sees quotas too. */
  gaps: Referee;
  meter: CpuMeter;
  root: boolean;
  found: Findings;
  /** What went wrong; the run goes on, but did not succeed. */
  failures: string[];
  log: (line: string) => void;
}

export interface BenchScenario {
  name: string;
  about: string;
  run(lab: BenchLab): Promise<void>;
}

export function openLab(effort: Effort, entrants: readonly Entrant[], log: (line: string) => void): BenchLab {
  const { referee, note } = openReferee();
  const found = nothingFound();
  if (note !== undefined) found.notes.push(note);
  const present = entrants.filter(({ missing }) => missing === undefined);
  const freezes = note === undefined && present.some(({ means }) => means === "freezing") ? openFreezeReferee() : undefined;
  return {
    effort,
    entrants: present,
    signals: referee,
    freezes,
    gaps: openClockGapReferee(),
    meter: openCpuMeter(),
    root: process.getuid?.() === 0,
    found,
    failures: [],
    log,
  };
}

export function fail(lab: BenchLab, what: string, error: unknown): void {
  const line = `${what}: ${(error as Error).message}`;
  lab.failures.push(line);
  lab.found.notes.push(line);
  lab.log(`  FAILED: ${line}`);
}

export function closeLab(lab: BenchLab): void {
  lab.signals.close();
  lab.freezes?.close();
  lab.meter.close();
}

export function entrant(lab: BenchLab, id: string): Entrant | undefined {
  return lab.entrants.find((one) => one.id === id);
}

/** A B C A B C: what the host does meanwhile falls on all alike. */
export async function takeTurns(
  lab: BenchLab,
  rounds: number,
  among: readonly Entrant[],
  turn: (one: Entrant, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const one of among) {
      try {
        await turn(one, round);
      } catch (error) {
        fail(lab, `${one.name}, round ${round + 1}`, error);
      }
    }
  }
}
