/** Quantiles and the like. Nothing here knows what the numbers mean. */

export interface Summary {
  count: number;
  mean: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/**
 * The q-quantile (0..1) of sorted values by nearest rank: the smallest value that at least the share q of all values does not exceed.
 * Never between two values, so p99 of 50 values is their maximum. NaN where there are no values.
 */
export function quantile(sorted: Float64Array, q: number): number {
  const rank = Math.max(1, Math.ceil(q * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Of the values as they are; take absolute values first where the sign does not matter. */
export function summarize(values: readonly number[]): Summary {
  const sorted = Float64Array.from(values).sort();
  return {
    count: sorted.length,
    mean: mean(values),
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** Of absolute values: how far off, in either direction. */
export function summarizeErrors(errors: readonly number[]): Summary {
  return summarize(errors.map(Math.abs));
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

export function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

export function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Quantiles of a histogram with bins [i, i + 1): the middle of the bin in which the nearest rank lies. */
export function summarizeHistogram(bins: ReadonlyMap<number, number>): Summary {
  const sorted = [...bins].sort(([a], [b]) => a - b);
  const count = sum(sorted.map(([, samples]) => samples));
  const at = (q: number) => {
    let seen = 0;
    for (const [bin, samples] of sorted) {
      seen += samples;
      if (seen > 0 && seen >= q * count) return bin + 0.5;
    }
    return Number.NaN;
  };
  const mean = sum(sorted.map(([bin, samples]) => (bin + 0.5) * samples)) / count;
  return { count, mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
