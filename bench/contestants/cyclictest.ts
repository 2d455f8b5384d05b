/** The floor: how late a SCHED_FIFO thread wakes that does nothing else (cyclictest, of the package rt-tests). */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Summary, summarizeHistogram } from "../statistics.js";

/** Later wake-ups are counted as this late. */
const longestUs = 100_000;

/**
 * Wakes every millisecond for `seconds`. Latencies in ns; cyclictest has whole microseconds, whose middle is taken. Undefined where it
 * cannot run: not installed, or no right to SCHED_FIFO.
 */
export async function cyclictest(priority: number, seconds: number): Promise<Summary | undefined> {
  const args = ["--quiet", "--mlockall", `--priority=${priority}`, "--interval=1000", `--histogram=${longestUs}`, `--duration=${seconds}`];
  try {
    const { stdout } = await promisify(execFile)("cyclictest", args, { maxBuffer: 1 << 26 });
    return readHistogram(stdout);
  } catch {
    return undefined;
  }
}

function readHistogram(output: string): Summary {
  const bins = new Map<number, number>();
  for (const [, bin, samples] of output.matchAll(/^(\d+) (\d+)$/gm)) {
    if (Number(samples) > 0) bins.set(Number(bin), Number(samples));
  }
  const [, overflows] = /^# Histogram Overflows: (\d+)/m.exec(output) ?? [];
  if (Number(overflows) > 0) bins.set(longestUs, Number(overflows));
  const us = summarizeHistogram(bins);
  return { count: us.count, mean: us.mean * 1e3, p50: us.p50 * 1e3, p90: us.p90 * 1e3, p99: us.p99 * 1e3, max: us.max * 1e3 };
}
