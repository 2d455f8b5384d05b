/** Results as a run of the suite leaves them, made up. */

import { seededRandom } from "../../bench/statistics/bootstrap.js";
import type { Observation, Results } from "../../bench/suite/results.js";

interface MadeUp {
  seed: number;
  /** By how much the host slows everybody down. */
  host?: number;
  /** By how much hobble is slower than it was. */
  ours?: number;
}

const costs: Record<string, number> = { hobble: 10_000, asyncio: 14_000, gevent: 15_000, batched: 4000 };

export function results({ seed, host = 1, ours = 1 }: MadeUp): Results {
  const random = seededRandom(seed);
  const observations: Observation[] = [];
  for (let round = 0; round < 3; round++) {
    for (const [contestant, cost] of Object.entries(costs)) {
      const slices = Array.from({ length: 4 }, (): [number, number] => [
        cost * host * (contestant === "hobble" ? ours : 1) * (0.95 + 0.1 * random()),
        1,
      ]);
      observations.push({
        scenario: "windows",
        point: "200 idle",
        count: 200,
        contestant,
        round,
        metrics: {
          perSignal: { kind: "ratio", parts: slices },
          runErrorP50: { kind: "quantile", q: 0.5, parts: [[200, 5, 240, 3]] },
          runErrorP99: { kind: "quantile", q: 0.99, parts: [[200, 5, 240, 3]] },
        },
      });
    }
  }
  return {
    format: 1,
    mode: "quick",
    host: { date: "2026-01-02T03:04:05.000Z", hobble: "0.0.0", node: "v20", kernel: "6", cpu: "a <fast> one", cpus: 2, memoryBytes: 1e9 },
    seconds: 60,
    referee: "made up",
    entries: [
      ...Object.keys(costs).map((id) => ({ id, name: id, about: `what ${id} is` })),
      { id: "cpulimit", name: "cpulimit", about: "another", missing: "it is not installed" },
    ],
    gauges: [{ p50Ns: 20_000, p99Ns: 40_000, maxNs: 90_000, by: "cyclictest", steal: 0, busy: 0.01, before: "windows" }],
    unusable: [],
    observations,
    checks: [
      { contestant: "hobble", check: "in order", outcome: "pass", why: "" },
      { contestant: "asyncio", check: "in order", outcome: "fail", why: "3 of 9 signals" },
    ],
    selfChecks: [{ referee: "made up", injectedNs: 20_000, foundNs: 20_500, windows: 9, worstNs: 900, judged: true, right: true }],
    timelines: [{ contestant: "hobble", point: "100 busy", lengthMs: 1000, runs: [[0, 10, 260, 270]] }],
    notes: ["a note"],
  };
}
