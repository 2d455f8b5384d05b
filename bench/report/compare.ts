/**
 * What changed between two runs. Between runs the host changes too. Peers are the same code in both, so what moved them was the host: their
 * common shift is taken off, and how far they disagree about it widens the doubt (difference in differences). What remains counts
 * as a change only if it is unlikely by chance among all that was compared (Holm, 5 %) and larger than a tenth.
 */

import { drawMany, middle } from "../statistics/bootstrap.js";
import { evaluateAll, type Measurement } from "../statistics/measurement.js";
import { holm, twoSided } from "../statistics/significance.js";
import type { Observation, Results } from "../suite/results.js";
import { type Better, metric } from "./metrics.js";
import { isOurs } from "./summary.js";

export interface Change {
  scenario: string;
  point: string;
  contestant: string;
  metricId: string;
  before: number;
  after: number;
  /** After against before, the host's shift taken off, with its 95 % interval. */
  ratio: number;
  low: number;
  high: number;
  /** Corrected for the number of comparisons. */
  p: number;
  significant: boolean;
  /** Undefined: neither better nor worse. */
  better: boolean | undefined;
}

const level = 0.05;
const smallestChange = 1.1;
/** Of a logarithm: what two runs of the same code differ by beyond what rounds within them tell; a floor where few peers took part. */
const doubtBetweenRuns = 0.1;

interface Key {
  scenario: string;
  point: string;
  metricId: string;
}

interface Shift {
  value: number;
  deviation: number;
}

/** Of hobble's figures; peers are the controls. */
export function compare(before: Results, after: Results): Change[] {
  const changes = keys(before).flatMap((key) => {
    const shifts = [...contestants(before, key)]
      .filter((who) => !isOurs(who))
      .flatMap((who) => logShift(rounds(before, key, who), rounds(after, key, who)) ?? []);
    const host = hostShift(shifts);
    return [...contestants(before, key)].filter(isOurs).flatMap((who) => changeOf(before, after, key, who, host));
  });
  const corrected = holm(changes.map(({ p }) => p));
  return changes.map((change, index) => {
    const p = corrected[index] ?? 1;
    const size = Math.max(change.ratio, 1 / change.ratio);
    return { ...change, p, significant: p < level && size > smallestChange };
  });
}

function changeOf(before: Results, after: Results, key: Key, contestant: string, host: Shift): Change[] {
  const [old, fresh] = [rounds(before, key, contestant), rounds(after, key, contestant)];
  const own = logShift(old, fresh);
  const [valueBefore, valueAfter] = [middle(old.map(evaluateAll)), middle(fresh.map(evaluateAll))];
  if (own === undefined) return beyondRatios(key, contestant, valueBefore, valueAfter);
  const value = own.value - host.value;
  const deviation = Math.hypot(own.deviation, host.deviation);
  const { better } = metric(key.metricId);
  const ratio = Math.exp(value);
  return [
    {
      ...key,
      contestant,
      before: valueBefore,
      after: valueAfter,
      ratio,
      low: Math.exp(value - 1.96 * deviation),
      high: Math.exp(value + 1.96 * deviation),
      p: twoSided(value / deviation),
      significant: false,
      better: isBetter(better, ratio, valueBefore, valueAfter),
    },
  ];
}

function isBetter(better: Better | undefined, ratio: number, before: number, after: number): boolean | undefined {
  if (better === undefined) return undefined;
  if (better === "nearer 1") return Math.abs(Math.log(after)) < Math.abs(Math.log(before));
  return better === "lower" ? ratio < 1 : ratio > 1;
}

/** What has no ratio: a figure that ought to be 0, such as targets left stopped, and is not any more, or was not before. */
function beyondRatios(key: Key, contestant: string, before: number, after: number): Change[] {
  const { better } = metric(key.metricId);
  if (better !== "lower" || before === after || Number.isNaN(before) || Number.isNaN(after)) return [];
  if (before !== 0 && after !== 0) return [];
  const ratio = after / before;
  return [{ ...key, contestant, before, after, ratio, low: ratio, high: ratio, p: 0, significant: false, better: after === 0 }];
}

/** What hobble did before and did not after, though it was tried: it failed. */
export function lost(before: Results, after: Results): string[] {
  const tried = new Set(after.observations.map(({ scenario, point }) => `${scenario}|${point}`));
  return keys(before).flatMap((key) => {
    if (!tried.has(`${key.scenario}|${key.point}`)) return [];
    return [...contestants(before, key)]
      .filter((who) => isOurs(who) && tookPart(after, who) && rounds(after, key, who).length === 0)
      .map((who) => `${who}: ${key.scenario}, ${key.point}: ${metric(key.metricId).title}`);
  });
}

function tookPart({ entries }: Results, who: string): boolean {
  return entries.some(({ id, missing }) => id === who && missing === undefined);
}

/** The median of what happened to the peers, and how far they disagree. Without peers nothing is known of the host. */
function hostShift(shifts: readonly Shift[]): Shift {
  if (shifts.length === 0) return { value: 0, deviation: 2 * doubtBetweenRuns };
  const value = middle(shifts.map((shift) => shift.value));
  const spread = 1.48 * middle(shifts.map((shift) => Math.abs(shift.value - value)));
  return { value, deviation: Math.max(doubtBetweenRuns, spread) };
}

/** Change of the logarithm between two sets of rounds; undefined where there is none. */
function logShift(before: readonly Measurement[], after: readonly Measurement[]): Shift | undefined {
  if (before.length === 0 || after.length === 0) return undefined;
  const [old, fresh] = [drawMany(before, 11), drawMany(after, 12)].map((values) => values.filter((value) => value > 0).map(Math.log));
  if (!old?.length || !fresh?.length) return undefined;
  const [from, to] = [before, after].map((set) => Math.log(middle(set.map(evaluateAll))));
  const value = (to ?? 0) - (from ?? 0);
  return Number.isFinite(value) ? { value, deviation: Math.hypot(deviation(old), deviation(fresh)) } : undefined;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length);
}

function keys({ observations }: Results): Key[] {
  const seen = new Map<string, Key>();
  for (const { scenario, point, metrics } of observations) {
    for (const metricId of Object.keys(metrics)) seen.set(`${scenario}|${point}|${metricId}`, { scenario, point, metricId });
  }
  return [...seen.values()];
}

function at({ observations }: Results, { scenario, point, metricId }: Key): Observation[] {
  return observations.filter((one) => one.scenario === scenario && one.point === point && metricId in one.metrics);
}

function contestants(results: Results, key: Key): Set<string> {
  return new Set(at(results, key).map(({ contestant }) => contestant));
}

function rounds(results: Results, key: Key, contestant: string): Measurement[] {
  return at(results, key)
    .filter((one) => one.contestant === contestant)
    .flatMap(({ metrics }) => metrics[key.metricId] ?? []);
}
