/** How unlikely a difference is by chance. */

/** Probability that a standard normal variable is at least as far from 0 (Abramowitz & Stegun 7.1.26, within 1.5e-7). */
export function twoSided(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.min(1, polynomial * Math.exp(-x * x));
}

/** Holm's correction: of many comparisons, one that is called significant by chance alone remains as unlikely as it was of one. */
export function holm(probabilities: readonly number[]): number[] {
  const order = probabilities.map((_, index) => index).sort((a, b) => (probabilities[a] ?? 0) - (probabilities[b] ?? 0));
  const corrected = probabilities.map(() => 1);
  let highest = 0;
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, (probabilities[index] ?? 1) * (probabilities.length - rank)));
    corrected[index] = highest;
  });
  return corrected;
}
