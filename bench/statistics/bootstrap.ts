/**
 * 95 % confidence intervals by a bootstrap in two levels: rounds are drawn with replacement, and within each round its slices of time. So both the
 * moods of the host between rounds and the noise within them count. (Davison & Hinkley, Bootstrap Methods, 1997, section 3.8.)
 */
import { evaluate, evaluateAll, type Measurement } from "./measurement.js";

export interface Estimate {
  value: number;
  low: number;
  high: number;
  rounds: number;
}

const draws = 500;

/** Always the same sequence, so that a report made twice is the same report (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Between two rounds, their mean: of so few the lower would be no fair judge. */
export function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? Number.NaN) + (sorted[Math.ceil(half)] ?? Number.NaN)) / 2;
}

function redraw(count: number, random: () => number): number[] {
  return Array.from({ length: count }, () => Math.floor(random() * count));
}

function drawRound(measurement: Measurement | undefined, random: () => number): number {
  return measurement === undefined ? Number.NaN : evaluate(measurement, redraw(measurement.parts.length, random));
}

function interval(value: number, rounds: number, drawn: number[]): Estimate {
  const sorted = drawn.filter((one) => !Number.isNaN(one)).sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return { value, low: at(0.025), high: at(0.975), rounds };
}

/** The median of the rounds. */
export function estimate(rounds: readonly Measurement[]): Estimate {
  const random = seededRandom(1);
  const once = () => middle(redraw(rounds.length, random).map((round) => drawRound(rounds[round], random)));
  // Slices in all of which nothing was counted say nothing about what it costs.
  const drawn = Array.from({ length: draws }, once).filter(Number.isFinite);
  return interval(middle(rounds.map(evaluateAll)), rounds.length, drawn);
}

/** How many times as large `above` is as `below`; round by round, as they took turns: what the host did to both cancels out. */
export function estimateRatio(above: readonly Measurement[], below: readonly Measurement[]): Estimate {
  const random = seededRandom(2);
  const pairs = Math.min(above.length, below.length);
  const once = () => middle(redraw(pairs, random).map((round) => drawRound(above[round], random) / drawRound(below[round], random)));
  const whole = Array.from({ length: pairs }, (_, round) => {
    const [over, under] = [above[round], below[round]];
    return over === undefined || under === undefined ? Number.NaN : evaluateAll(over) / evaluateAll(under);
  });
  return interval(middle(whole), pairs, Array.from({ length: draws }, once));
}

/** Values of the statistic, as a bootstrap draws them, of rounds that nobody else shares: for two runs at different times. */
export function drawMany(rounds: readonly Measurement[], seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: draws }, () => middle(redraw(rounds.length, random).map((round) => drawRound(rounds[round], random))));
}
