/**
 * What changed between two runs. Between runs the host changes too. Peers are the same code in both, so what moved them was the host: their
 * common shift is taken off, and how far they disagree about it widens the doubt (difference in differences): about this point, and about any point of
 * this figure, as a host that stands still for a moment spoils the tail of a single one. What the points of a figure say together is more certain than
 * what one of them says, so they are asked together too. What remains counts as a change only if it is unlikely by chance among all that was compared
 * (Holm, 5 %), larger than a tenth, and, where it is a matter of lateness, larger than that of the hosts by themselves.
 */

import { drawMany, middle } from "../statistics/bootstrap.js";
import { evaluateAll, type Measurement } from "../statistics/measurement.js";
import { holm, twoSided } from "../statistics/significance.js";
import { quantile, sum } from "../statistics.js";
import type { Gauge, Observation, Results } from "../suite/results.js";
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

/** In logarithms, before it is said whether it means anything. */
interface Raw extends Change {
  shift?: Shift;
}

/** Of hobble's figures; peers are the controls. */
export function compare(before: Results, after: Results): Change[] {
  const all = keys(before);
  const peers = new Map(all.map((key) => [key, peerShifts(before, after, key)]));
  const tails = tailsOf(peers);
  const single = all.flatMap((key) => {
    const host = hostShift(peers.get(key) ?? [], tails.get(key.metricId) ?? 0);
    return [...contestants(before, key)].filter(isOurs).flatMap((who): Raw[] => changeOf(before, after, key, who, host));
  });
  const changes = [...togetherOf(single), ...single].map(({ shift, ...change }) => change);
  const corrected = holm(changes.map(({ p }) => p));
  const floors = latenessOf([...before.gauges, ...after.gauges]);
  return changes.map((change, index) => {
    const p = corrected[index] ?? 1;
    const size = Math.max(change.ratio, 1 / change.ratio);
    const beyondHost = Math.abs(change.after - change.before) > (floors[change.metricId] ?? 0);
    return { ...change, p, significant: p < level && size > smallestChange && beyondHost };
  });
}

/**
 * How late a thread of the highest priority woke on the hosts by themselves. Whoever is exact to some ten microseconds is spoiled by what peers that
 * are off by milliseconds do not notice: they cannot tell that the host was the cause.
 */
function latenessOf(gauges: readonly Gauge[]): Record<string, number> {
  const worst = (of: (gauge: Gauge) => number) => gauges.map(of).reduce((a, b) => Math.max(a, b), 0);
  const [usual, rare] = [worst(({ p99Ns }) => p99Ns), worst(({ maxNs }) => maxNs)];
  return { runErrorP50: usual, runErrorP99: rare, stopErrorP99: rare };
}

function peerShifts(before: Results, after: Results, key: Key): Shift[] {
  return [...contestants(before, key)]
    .filter((who) => !isOurs(who))
    .flatMap((who) => logShift(rounds(before, key, who), rounds(after, key, who)) ?? []);
}

/** How far a peer may be off what happened to the others at its point, for each figure: what nine of ten stay below, as a standard deviation. */
function tailsOf(peers: ReadonlyMap<Key, readonly Shift[]>): Map<string, number> {
  const off = new Map<string, number[]>();
  for (const [{ metricId }, shifts] of peers) {
    if (shifts.length < 2) continue;
    const common = middle(shifts.map(({ value }) => value));
    off.set(metricId, [...(off.get(metricId) ?? []), ...shifts.map(({ value }) => Math.abs(value - common))]);
  }
  return new Map([...off].map(([metricId, all]) => [metricId, quantile(Float64Array.from(all).sort(), 0.9) / 1.645]));
}

/** What all points of a figure say, where there are several. */
function togetherOf(changes: readonly Raw[]): Raw[] {
  const groups = new Map<string, Raw[]>();
  for (const change of changes) {
    if (change.shift === undefined) continue;
    const key = `${change.contestant}|${change.metricId}`;
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].flatMap((group): Raw[] => {
    const [first] = group;
    const shifts = group.flatMap(({ shift }) => shift ?? []);
    if (first === undefined || group.length < 2) return [];
    const { contestant, metricId } = first;
    const value = sum(shifts.map((shift) => shift.value)) / shifts.length;
    const independent = Math.sqrt(sum(shifts.map((shift) => shift.deviation ** 2))) / shifts.length;
    const mean = (of: (change: Raw) => number) => Math.exp(sum(group.map((one) => Math.log(of(one)))) / group.length);
    const [valueBefore, valueAfter] = [mean((one) => one.before), mean((one) => one.after)];
    const key = { scenario: "all", point: `${group.length} points, geometric mean`, metricId };
    return [inWords(key, contestant, valueBefore, valueAfter, { value, deviation: Math.max(independent, doubtBetweenRuns / 2) })];
  });
}

function changeOf(before: Results, after: Results, key: Key, contestant: string, host: Shift): Raw[] {
  const [old, fresh] = [rounds(before, key, contestant), rounds(after, key, contestant)];
  const own = logShift(old, fresh);
  const [valueBefore, valueAfter] = [middle(old.map(evaluateAll)), middle(fresh.map(evaluateAll))];
  if (own === undefined) return beyondRatios(key, contestant, valueBefore, valueAfter);
  const shift = { value: own.value - host.value, deviation: Math.hypot(own.deviation, host.deviation) };
  return [inWords(key, contestant, valueBefore, valueAfter, shift)];
}

function inWords(key: Key, contestant: string, before: number, after: number, shift: Shift): Raw {
  const { value, deviation } = shift;
  const ratio = Math.exp(value);
  return {
    ...key,
    contestant,
    before,
    after,
    ratio,
    low: Math.exp(value - 1.96 * deviation),
    high: Math.exp(value + 1.96 * deviation),
    p: twoSided(value / deviation),
    significant: false,
    better: isBetter(metric(key.metricId).better, ratio, before, after),
    shift,
  };
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
function hostShift(shifts: readonly Shift[], tail: number): Shift {
  if (shifts.length === 0) return { value: 0, deviation: Math.max(2 * doubtBetweenRuns, tail) };
  const value = middle(shifts.map((shift) => shift.value));
  const spread = 1.48 * middle(shifts.map((shift) => Math.abs(shift.value - value)));
  return { value, deviation: Math.max(doubtBetweenRuns, spread, tail) };
}

/** Change of the logarithm between two sets of rounds; undefined where there is none. */
function logShift(before: readonly Measurement[], after: readonly Measurement[]): Shift | undefined {
  if (before.length === 0 || after.length === 0) return undefined;
  const [old, fresh] = [drawMany(before, 11), drawMany(after, 12)].map((values) =>
    values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log),
  );
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
