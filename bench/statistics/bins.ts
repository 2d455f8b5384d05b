/**
 * Log-linear bins for absolute errors and latencies: 16 to a doubling, so that a quantile is right within 2.2 %. What a result file holds instead
 * of ten thousand single windows, and what a bootstrap can add up quickly.
 */

/** Pairs bin, count, bin, count, … in ascending order. */
export type Bins = number[];

const perDoubling = 16;

function binOf(ns: number): number {
  return Math.round(Math.log2(Math.max(1, Math.abs(ns))) * perDoubling);
}

/** Middle of a bin, ns. */
export function binValue(bin: number): number {
  return 2 ** (bin / perDoubling);
}

export function binned(values: Iterable<number>): Bins {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(binOf(value), (counts.get(binOf(value)) ?? 0) + 1);
  return fromCounts(counts);
}

function fromCounts(counts: ReadonlyMap<number, number>): Bins {
  return [...counts].sort(([a], [b]) => a - b).flat();
}

export function addBins(parts: readonly Bins[]): Bins {
  if (parts.length === 1) return parts[0] ?? [];
  const counts = new Map<number, number>();
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) counts.set(part[i] ?? 0, (counts.get(part[i] ?? 0) ?? 0) + (part[i + 1] ?? 0));
  }
  return fromCounts(counts);
}

export function binsCount(bins: Bins): number {
  let count = 0;
  for (let i = 1; i < bins.length; i += 2) count += bins[i] ?? 0;
  return count;
}

/** By nearest rank; NaN where there is nothing. */
export function binsQuantile(bins: Bins, q: number): number {
  const rank = Math.max(1, Math.ceil(q * binsCount(bins)));
  let seen = 0;
  for (let i = 0; i < bins.length; i += 2) {
    seen += bins[i + 1] ?? 0;
    if (seen >= rank) return binValue(bins[i] ?? 0);
  }
  return Number.NaN;
}

/** A bin for each possible duration up to 2^63 ns. */
const scratch = new Float64Array(64 * perDoubling);

/** The same of several together, without making their sum: a bootstrap asks a million times. */
export function joinedQuantile(parts: readonly Bins[], q: number): number {
  let total = 0;
  let lowest = scratch.length;
  let highest = 0;
  for (const part of parts) {
    lowest = Math.min(lowest, part[0] ?? scratch.length);
    highest = Math.max(highest, part.at(-2) ?? 0);
    for (let i = 0; i < part.length; i += 2) {
      const count = part[i + 1] ?? 0;
      scratch[part[i] ?? 0] = (scratch[part[i] ?? 0] ?? 0) + count;
      total += count;
    }
  }
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  let found = Number.NaN;
  for (let bin = lowest; bin <= highest && Number.isNaN(found); bin++) {
    seen += scratch[bin] ?? 0;
    if (seen >= rank) found = binValue(bin);
  }
  if (total > 0) scratch.fill(0, lowest, highest + 1);
  return found;
}
