export class CpuHistory {
  #samples;
  /** Before it was seen first it used all that it has used, since it started: for a young one that tells as much as a measurement. */
  constructor({ startTime }) {
    this.#samples = [{ atNs: startTime * 1e7, cpuNs: 0 }];
  }
  /** @param nowNs time of the scan; what has not changed since it was read was the same then */
  note({ cpuNs, readAtNs }, nowNs, keptNs) {
    const samples = this.#samples;
    const last = samples.at(-1);
    const atNs = Math.max(readAtNs, nowNs);
    if (cpuNs < 0 || last === undefined || atNs <= last.atNs) return;
    samples.push({ atNs, cpuNs });
    let old = 0;
    while (samples.length - old > 2 && (samples[old + 1]?.atNs ?? 0) <= atNs - keptNs) old++;
    if (old > 0) samples.splice(0, old);
  }
  /** In CPUs, over at least `overNs`; undefined while its history is shorter than that, or so coarse that it would speak of another time. */
  share(overNs) {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last === undefined) return undefined;
    let at = samples.length - 2;
    while (at > 0 && last.atNs - (samples[at]?.atNs ?? 0) < overNs) at--;
    const first = samples[at];
    if (first === undefined) return undefined;
    const elapsed = last.atNs - first.atNs;
    // Over an unknown hour before the first scan it may have been busy or idle; and less than that of a few ticks tells nothing.
    if (elapsed < Math.max(overNs, shortest) || (first.cpuNs === 0 && elapsed > 3 * Math.max(overNs, scanOrTwo))) return undefined;
    return Math.max(0, last.cpuNs - first.cpuNs) / elapsed;
  }
}
const shortest = 200e6;
const scanOrTwo = 2e9;
