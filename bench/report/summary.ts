/** Estimates of everything that was observed: what tables, plots and comparisons are made of. */

import { addBins, type Bins } from "../statistics/bins.js";
import { type Estimate, estimate, estimateRatio } from "../statistics/bootstrap.js";
import { fitExponent } from "../statistics/fit.js";
import type { Measurement } from "../statistics/measurement.js";
import type { Observation, Results } from "../suite/results.js";
import { type Better, metric } from "./metrics.js";

export class Summary {
  readonly results: Results;
  readonly #estimates = new Map<string, Estimate>();

  constructor(results: Results) {
    this.results = results;
  }

  name(contestant: string): string {
    return this.results.entries.find(({ id }) => id === contestant)?.name ?? contestant;
  }

  scenarios(): string[] {
    return [...new Set(this.results.observations.map(({ scenario }) => scenario))];
  }

  points(scenario: string, metricId?: string): string[] {
    return [
      ...new Set(
        this.#of(scenario)
          .filter(({ metrics }) => metricId === undefined || metricId in metrics)
          .map(({ point }) => point),
      ),
    ];
  }

  /** In the order of the list of contestants; floors come last. */
  contestants(scenario: string, point: string, metricId?: string): string[] {
    const rank = (id: string) => {
      const index = this.results.entries.findIndex((entry) => entry.id === id);
      return index < 0 ? Number.POSITIVE_INFINITY : index;
    };
    const seen = this.#of(scenario).filter((one) => one.point === point && (metricId === undefined || metricId in one.metrics));
    return [...new Set(seen.map(({ contestant }) => contestant))].sort((a, b) => rank(a) - rank(b));
  }

  metrics(scenario: string): string[] {
    return [...new Set(this.#of(scenario).flatMap(({ metrics }) => Object.keys(metrics)))];
  }

  rounds(scenario: string, point: string, contestant: string, metricId: string): Measurement[] {
    return this.#of(scenario)
      .filter((one) => one.point === point && one.contestant === contestant)
      .flatMap(({ metrics }) => metrics[metricId] ?? []);
  }

  /** Undefined where it was not measured. */
  estimate(scenario: string, point: string, contestant: string, metricId: string): Estimate | undefined {
    const key = [scenario, point, contestant, metricId].join("|");
    const known = this.#estimates.get(key);
    if (known !== undefined) return known;
    const rounds = this.rounds(scenario, point, contestant, metricId);
    if (rounds.length === 0) return undefined;
    const made = estimate(rounds);
    if (Number.isNaN(made.value)) return undefined;
    this.#estimates.set(key, made);
    return made;
  }

  ratio(scenario: string, point: string, above: string, below: string, metricId: string): Estimate | undefined {
    const byRound = (contestant: string) => {
      const own = this.#of(scenario).filter((one) => one.point === point && one.contestant === contestant);
      return new Map(own.flatMap(({ round, metrics }) => (metrics[metricId] ? [[round, metrics[metricId]] as const] : [])));
    };
    const [over, under] = [byRound(above), byRound(below)];
    // Only of rounds that both have: one may have failed in one of them.
    const shared = [...over.keys()].filter((round) => under.has(round));
    const of = (own: Map<number, Measurement>) => shared.flatMap((round) => own.get(round) ?? []);
    return shared.length > 0 ? estimateRatio(of(over), of(under)) : undefined;
  }

  /** All single values of a quantile metric. */
  bins(scenario: string, point: string, contestant: string, metricId: string): Bins {
    return addBins(this.rounds(scenario, point, contestant, metricId).flatMap((round) => (round.kind === "quantile" ? round.parts : [])));
  }

  countAt(scenario: string, point: string): number {
    return this.#of(scenario).find((one) => one.point === point)?.count ?? Number.NaN;
  }

  /** Exponent with which a metric grows with the number of targets, over the points that match. */
  growth(scenario: string, contestant: string, metricId: string, points: (point: string) => boolean): Estimate | undefined {
    const counted = this.points(scenario, metricId)
      .filter(points)
      .map((point) => ({ count: this.countAt(scenario, point), rounds: this.rounds(scenario, point, contestant, metricId) }))
      .filter(({ rounds }) => rounds.length > 0);
    return fitExponent(counted);
  }

  #of(scenario: string): Observation[] {
    return this.results.observations.filter((one) => one.scenario === scenario);
  }
}

/** One figure in which others are better. */
export interface Loss {
  scenario: string;
  point: string;
  metricId: string;
  ours: Estimate;
  /** The best of them first. */
  others: Rival[];
}

export interface Rival {
  who: string;
  theirs: Estimate;
  /** Ours against theirs, such that above 1 is worse for us. */
  ratio: Estimate;
}

const modes = [
  "hobble",
  "hobble-tight",
  "hobble-economy",
  "hobble-limit",
  "hobble-pool",
  "hobble-freeze",
  "native scan",
  "native scan, again",
  "native identify",
];

/** Who stands for hobble: by default, and in scenarios that are about something else. */
const defaults = ["hobble", "hobble-pool", "hobble-limit", "native scan"];

export function isOurs(contestant: string): boolean {
  return modes.includes(contestant);
}

/** Where somebody else is better than hobble by default beyond doubt: the whole interval of the ratio is on their side, by a twentieth at least. */
export function losses(summary: Summary): Loss[] {
  const found: Loss[] = [];
  for (const scenario of summary.scenarios()) {
    for (const metricId of summary.metrics(scenario)) {
      const { better } = metric(metricId);
      // Memory is asked for where everybody has the same thousand targets.
      if (better === undefined || (metricId === "memory" && scenario !== "startup")) continue;
      for (const point of summary.points(scenario, metricId)) found.push(...lossesAt(summary, scenario, point, metricId, better));
    }
  }
  return found;
}

function lossesAt(summary: Summary, scenario: string, point: string, metricId: string, better: Better): Loss[] {
  const own = defaults.find((id) => summary.estimate(scenario, point, id, metricId) !== undefined);
  const ours = own === undefined ? undefined : summary.estimate(scenario, point, own, metricId);
  if (own === undefined || ours === undefined) return [];
  const others = summary.contestants(scenario, point, metricId).flatMap((who): Rival[] => {
    // The floor is no alternative, and neither is doing nothing where cost is concerned.
    if (isOurs(who) || who === "nothing" || who === "no targets" || who.startsWith("bare loop")) return [];
    const theirs = summary.estimate(scenario, point, who, metricId);
    if (starves(summary, scenario, point, own, who)) return [];
    if (better === "nearer 1") return farther(ours, theirs) && theirs ? [{ who, theirs, ratio: farOff(ours, theirs) }] : [];
    const ratio =
      better === "lower" ? summary.ratio(scenario, point, own, who, metricId) : summary.ratio(scenario, point, who, own, metricId);
    return theirs !== undefined && ratio !== undefined && ratio.low > 1.05 ? [{ who, theirs, ratio }] : [];
  });
  others.sort((a, b) => b.ratio.value - a.ratio.value);
  return others.length === 0 ? [] : [{ scenario, point, metricId, ours, others }];
}

/** Has more to give to others because it gives its targets less than it was to. */
function starves(summary: Summary, scenario: string, point: string, own: string, who: string): boolean {
  if (scenario !== "benefit") return false;
  const less = summary.ratio(scenario, point, own, who, "targetsCpu");
  return less !== undefined && less.low > 1.05;
}

/** How many times as far from 1, in logarithms. */
function farOff(ours: Estimate, theirs: Estimate): Estimate {
  const off = (value: number) => Math.max(Math.abs(Math.log(value)), 1e-3);
  const value = off(ours.value) / off(theirs.value);
  return { value, low: value, high: value, rounds: Math.min(ours.rounds, theirs.rounds) };
}

/** Beyond doubt: our whole interval is farther from 1 than any value of theirs, by a twentieth. */
function farther(ours: Estimate, theirs: Estimate | undefined): boolean {
  if (theirs === undefined) return false;
  const nearest = ours.low <= 1 && ours.high >= 1 ? 0 : Math.min(Math.abs(Math.log(ours.low)), Math.abs(Math.log(ours.high)));
  return nearest > Math.max(Math.abs(Math.log(theirs.low)), Math.abs(Math.log(theirs.high))) + Math.log(1.05);
}
