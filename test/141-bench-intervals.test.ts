/** The suite's arithmetic: bins, intervals, fits, significance. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compare, lost } from "../bench/report/compare.js";
import { losses, Summary } from "../bench/report/summary.js";
import { addBins, binned, binsCount, binsQuantile, joinedQuantile } from "../bench/statistics/bins.js";
import { estimate, estimateRatio, seededRandom } from "../bench/statistics/bootstrap.js";
import { fitExponent, leastSquares } from "../bench/statistics/fit.js";
import type { Measurement } from "../bench/statistics/measurement.js";
import { holm, twoSided } from "../bench/statistics/significance.js";
import { quantile } from "../bench/statistics.js";
import type { Observation, Results } from "../bench/suite/results.js";
import { results } from "./helpers/bench-results.js";

const durations = fc.array(fc.integer({ min: 1, max: 10_000_000_000 }), { minLength: 1, maxLength: 200 });

describe("bins", () => {
  test("keep quantiles within 2.2 %", () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1), (values, q) => {
        const exact = quantile(Float64Array.from(values).sort(), q);
        expect(Math.abs(binsQuantile(binned(values), q) / exact - 1)).toBeLessThan(0.0222);
      }),
    );
  });

  test("of parts are the bins of all, joined or added", () => {
    fc.assert(
      fc.property(durations, durations, (a, b) => {
        const together = binned([...a, ...b]);
        expect(addBins([binned(a), binned(b)])).toEqual(together);
        expect(binsCount(together)).toBe(a.length + b.length);
        for (const q of [0.5, 0.99]) expect(joinedQuantile([binned(a), binned(b)], q)).toBe(binsQuantile(together, q));
      }),
    );
  });

  test("of nothing have no quantile", () => {
    expect(binsQuantile([], 0.5)).toBeNaN();
    expect(joinedQuantile([[], []], 0.5)).toBeNaN();
  });
});

/** Rounds of `slices` values around `centre`. */
function rounds(centre: number, spread: number, seed: number, count = 5, slices = 6): Measurement[] {
  const random = seededRandom(seed);
  const value = () => centre * (1 + spread * (random() + random() + random() - 1.5));
  return Array.from({ length: count }, () => ({
    kind: "ratio",
    parts: Array.from({ length: slices }, (): [number, number] => [value(), 1]),
  }));
}

describe("intervals", () => {
  test("hold the true value about as often as they say", () => {
    const trials = 200;
    const held = Array.from({ length: trials }, (_, seed) => estimate(rounds(100, 0.2, seed + 1))).filter(
      ({ low, high }) => low <= 100 && high >= 100,
    );
    expect(held.length / trials).toBeGreaterThan(0.85);
  });

  test("contain the estimate, and are the same when asked again", () => {
    const first = estimate(rounds(3, 0.5, 7));
    expect(first.low).toBeLessThanOrEqual(first.value);
    expect(first.high).toBeGreaterThanOrEqual(first.value);
    expect(estimate(rounds(3, 0.5, 7))).toEqual(first);
  });

  test("of a ratio take off what the host did to both", () => {
    const host = [1, 3, 0.5, 2, 1.4];
    const scaled = (factor: number): Measurement[] => host.map((mood) => ({ kind: "median", parts: [factor * mood] }));
    expect(estimateRatio(scaled(10), scaled(5))).toMatchObject({ value: 2, low: 2, high: 2 });
  });
});

describe("fits", () => {
  test("find the exponent that data were made with", () => {
    const points = [10, 100, 1000, 10_000].map((count, index) => ({ count, rounds: rounds(0.01 * count ** 0.7, 0.05, index + 1, 3) }));
    const fit = fitExponent(points);
    expect(fit?.value).toBeCloseTo(0.7, 1);
    expect((fit?.low ?? 1) <= 0.71 && (fit?.high ?? 0) >= 0.69).toBe(true);
  });

  test("want three points, and go through a straight line", () => {
    expect(fitExponent([{ count: 1, rounds: rounds(1, 0, 1) }])).toBeUndefined();
    expect(
      leastSquares([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2, 12);
  });
});

describe("significance", () => {
  test("knows the normal distribution", () => {
    expect(twoSided(0)).toBeCloseTo(1, 6);
    expect(twoSided(1.96)).toBeCloseTo(0.05, 3);
    expect(twoSided(-2.576)).toBeCloseTo(0.01, 3);
  });

  test("is corrected for the number of comparisons, in order", () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
  });
});

describe("a comparison of two runs", () => {
  test("of the same code claims nothing, however the host was", () => {
    const changes = compare(results({ seed: 1 }), results({ seed: 2, host: 1.6 }));
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.filter(({ significant }) => significant)).toEqual([]);
  });

  test("finds what has become slower, and says that it is worse", () => {
    const changes = compare(results({ seed: 1 }), results({ seed: 2, host: 0.8, ours: 2.5 }));
    const found = changes.filter(({ significant }) => significant);
    expect(found.map(({ metricId, better }) => [metricId, better])).toContainEqual(["perSignal", false]);
    for (const { ratio } of found) expect(ratio).toBeGreaterThan(1.5);
  });

  test("what one point leaves in doubt several may tell together", () => {
    const points = (run: Results): Results => ({
      ...run,
      observations: ["a", "b", "c", "d", "e", "f"].flatMap((point) => run.observations.map((one) => ({ ...one, point }))),
    });
    const changes = compare(points(results({ seed: 1 })), points(results({ seed: 2, ours: 1.25 })));
    const costs = changes.filter(({ metricId, significant }) => metricId === "perSignal" && significant);
    expect(costs).toMatchObject([{ scenario: "all", contestant: "hobble", better: false }]);
    expect(compare(points(results({ seed: 1 })), points(results({ seed: 2 }))).filter(({ significant }) => significant)).toEqual([]);
  });

  test("lateness counts only beyond that of the host by itself", () => {
    const late = (run: Results, maxNs: number, bin: number): Results => ({
      ...run,
      gauges: run.gauges.map((gauge) => ({ ...gauge, maxNs })),
      observations: run.observations.map((one) => {
        const runErrorP99 = { kind: "quantile", q: 0.99, parts: [[one.contestant === "hobble" ? bin : 300, 9]] } as const;
        return { ...one, metrics: { runErrorP99: { ...runErrorP99, parts: runErrorP99.parts.map((part) => [...part]) } } };
      }),
    });
    const run = results({ seed: 1 });
    // 33 and 66 µs.
    const found = (maxNs: number) => compare(late(run, maxNs, 240), late(run, maxNs, 256)).map(({ significant }) => significant);
    expect(found(10_000)).toEqual([true]);
    expect(found(90_000)).toEqual([false]);
  });
});

describe("what a comparison of ratios would overlook", () => {
  const one = (metricId: string, value: number, round = 0, contestant = "hobble"): Observation => ({
    scenario: "recovery",
    point: "20 busy",
    count: 20,
    contestant,
    round,
    metrics: { [metricId]: { kind: "median", parts: [value] } },
  });
  const found = (...observations: Observation[]) => ({ ...results({ seed: 1 }), observations });

  test("a figure that was 0 and is not any more is worse", () => {
    const [before, after] = [
      found(one("leftStopped", 0), one("leftStopped", 0, 1)),
      found(one("leftStopped", 0), one("leftStopped", 1, 1)),
    ];
    expect(compare(before, after)).toMatchObject([{ metricId: "leftStopped", before: 0, after: 0.5, significant: true, better: false }]);
    expect(compare(after, before)).toMatchObject([{ before: 0.5, after: 0, significant: true, better: true }]);
    expect(compare(before, before)).toEqual([]);
  });

  test("a limit that is farther off is worse, to either side", () => {
    const off = (...values: number[]) => found(...values.map((value, round) => one("limitOff", value, round)));
    expect(compare(off(1.02, 1.01, 1), off(0.3, 0.31, 0.3))).toMatchObject([{ significant: true, better: false }]);
    expect(compare(off(3, 3.01, 3), off(1.01, 1, 1.01))).toMatchObject([{ significant: true, better: true }]);
  });

  test("what is not there any more, though it was tried, is named", () => {
    const [before, after] = [found(one("churn", 5)), found(one("churn", 5, 0, "asyncio"))];
    expect(lost(before, after)).toEqual([expect.stringContaining("hobble: recovery, 20 busy")]);
    expect(lost(before, found())).toEqual([]);
    expect(lost(before, before)).toEqual([]);
  });

  test("ratios are of rounds that both have", () => {
    const lame = found(one("scan", 10, 0), one("scan", 100, 1), one("scan", 50, 1, "asyncio"));
    expect(new Summary(lame).ratio("recovery", "20 busy", "hobble", "asyncio", "scan")).toMatchObject({ value: 2, rounds: 1 });
  });
});

describe("what is said of who is better", () => {
  test("names a peer that is better beyond doubt, and not one that may be", () => {
    const found = losses(new Summary(results({ seed: 3 })));
    const all = found.flatMap(({ metricId, others }) => others.map(({ who }) => `${metricId} ${who}`));
    expect(all).toContain("perSignal batched");
    expect(all.some((one) => one.includes("asyncio"))).toBe(false);
  });
});
