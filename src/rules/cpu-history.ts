/** How much CPU a process used over the last so-and-so many seconds. Pure. */
import type { ProcessInfo } from "../discovery/process-info.js";

/** Time after boot and CPU time, ns. */
interface Sample {
  readonly atNs: number;
  readonly cpuNs: number;
}

export class CpuHistory {
  readonly #samples: Sample[];

  /** Before it was seen first it used all that it has used, since it started: for a young one that tells as much as a measurement. */
  constructor({ startTime }: ProcessInfo) {
    this.#samples = [{ atNs: startTime * 1e7, cpuNs: 0 }];
  }

  /** @param nowNs time of the scan; what has not changed since it was read was the same then */
  note({ cpuNs, readAtNs }: ProcessInfo, nowNs: number, keptNs: number): void {
    const samples = this.#samples;
    const last = samples.at(-1);
    const atNs = Math.max(readAtNs, nowNs);
    if (cpuNs < 0 || last === undefined || atNs <= last.atNs) return;
    samples.push({ atNs, cpuNs });
    let old = 0;
    const least = Math.max(keptNs, shortest);
    while (samples.length - old > 2 && (samples[old + 1]?.atNs ?? 0) <= atNs - least) old++;
    if (old > 0) samples.splice(0, old);
  }

  /** In CPUs, over at least `overNs`; undefined while its history is shorter than that, or so coarse that it would speak of another time. */
  share(overNs: number): number | undefined {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last === undefined) return undefined;
    // Two looks may come within a moment: what a process did in that tells nothing.
    const least = Math.max(overNs, shortest);
    let at = samples.length - 2;
    while (at > 0 && last.atNs - (samples[at]?.atNs ?? 0) < least) at--;
    const first = samples[at];
    if (first === undefined) return undefined;
    const elapsed = last.atNs - first.atNs;
    // Over an unknown hour before the first scan it may have been busy or idle.
    if (elapsed < least || (first.cpuNs === 0 && elapsed > 3 * Math.max(overNs, scanOrTwo))) return undefined;
    return Math.max(0, last.cpuNs - first.cpuNs) / elapsed;
  }
}

const shortest = 200e6;
const scanOrTwo = 2e9;
