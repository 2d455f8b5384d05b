/** How a cost grows with the number of targets: cost ∝ N^exponent, by least squares on logarithms. */
import { type Estimate, estimate, middle, seededRandom } from "./bootstrap.js";
import { evaluateAll, type Measurement } from "./measurement.js";

export interface Point {
  count: number;
  rounds: readonly Measurement[];
}

/** Undefined with fewer than three points. */
export function fitExponent(points: readonly Point[]): Estimate | undefined {
  const usable = points.filter(({ rounds }) => estimate(rounds).value > 0);
  if (usable.length < 3) return undefined;
  const random = seededRandom(3);
  const logs = usable.map(({ count, rounds }) => ({ x: Math.log(count), values: rounds.map((round) => Math.log(evaluateAll(round))) }));
  const slope = (pick: (values: number[]) => number) => leastSquares(logs.map(({ x, values }) => [x, pick(values)] as const));
  const drawn = Array.from({ length: 1000 }, () => slope((values) => values[Math.floor(random() * values.length)] ?? 0)).sort(
    (a, b) => a - b,
  );
  return { value: slope(middle), low: drawn[25] ?? Number.NaN, high: drawn[974] ?? Number.NaN, rounds: usable.length };
}

export function leastSquares(points: readonly (readonly [number, number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) => points.reduce((total, point) => total + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)];
  const covariance = mean(([x, y]) => (x - meanX) * (y - meanY));
  return covariance / mean(([x]) => (x - meanX) ** 2);
}
