/** How near to its limit the CPU share of a process comes, by the scheduler's own count. */
import { monotonicNs, sleepSeconds } from "../clock.js";
import { median } from "../statistics.js";
import type { Limiter } from "./limiters.js";
import { Spender } from "./spender.js";

export interface AccuracyCase {
  name: string;
  work: readonly (string | number)[];
  cpus: number;
}

export const accuracyCases: readonly AccuracyCase[] = [
  ...[0.01, 0.02, 0.05, 0.2, 0.5, 0.8].map((cpus) => ({ name: `${cpus * 100} %, busy`, work: ["busy"], cpus })),
  { name: "150 %, 8 busy threads", work: ["threads", 8], cpus: 1.5 },
  { name: "20 %, tree of 10 busy", work: ["tree", 10], cpus: 0.2 },
  { name: "20 %, 50 ms busy, 50 ms asleep", work: ["alternate", 50], cpus: 0.2 },
];

export interface Accuracy {
  /** Medians of the trials, in CPUs. */
  share: number;
  firstSecond: number;
  /** Of the trial that was furthest off. */
  worstShare: number;
  /** Relative, of the medians. */
  error: number;
  firstSecondError: number;
}

export async function measureAccuracy(limiter: Limiter, { work, cpus }: AccuracyCase, seconds: number, trials: number): Promise<Accuracy> {
  const shares: number[] = [];
  const firsts: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const spender = await Spender.start(work);
    try {
      await sleepSeconds(0.2);
      const running = await limiter.limit(spender.pids, cpus);
      const [before, began] = [spender.spentNs(), monotonicNs()];
      const share = () => (spender.spentNs() - before) / (monotonicNs() - began);
      await sleepSeconds(1);
      firsts.push(share());
      await sleepSeconds(seconds - 1);
      shares.push(share());
      await running.stop();
    } finally {
      spender.end();
    }
  }
  const [share, firstSecond] = [median(shares), median(firsts)];
  const worstShare = shares.reduce((worst, one) => (Math.abs(one - cpus) > Math.abs(worst - cpus) ? one : worst), share);
  return { share, firstSecond, worstShare, error: share / cpus - 1, firstSecondError: firstSecond / cpus - 1 };
}
