/** What one round of one contestant gave for one metric, cut into slices of time. Slices are what a bootstrap draws from. */
import { median, sum } from "../statistics.js";
import { type Bins, joinedQuantile } from "./bins.js";

export type Measurement =
  /** Numerator and denominator of each slice: CPU time by time elapsed, say. */
  | { kind: "ratio"; parts: [number, number][] }
  /** Values of which a quantile is wanted. */
  | { kind: "quantile"; q: number; parts: Bins[] }
  /** Single values of which the median is wanted. */
  | { kind: "median"; parts: number[] };

/** The figure that a round stands for: of the slices at these indices. */
export function evaluate(measurement: Measurement, slices: readonly number[]): number {
  if (measurement.kind === "ratio") {
    const chosen = slices.map((slice) => measurement.parts[slice] ?? ([0, 0] as const));
    return sum(chosen.map(([above]) => above)) / sum(chosen.map(([, below]) => below));
  }
  if (measurement.kind === "quantile")
    return joinedQuantile(
      slices.map((slice) => measurement.parts[slice] ?? []),
      measurement.q,
    );
  return median(slices.map((slice) => measurement.parts[slice] ?? Number.NaN));
}

export function evaluateAll(measurement: Measurement): number {
  return evaluate(measurement, [...measurement.parts.keys()]);
}
