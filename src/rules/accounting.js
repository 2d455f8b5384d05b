/** A parent that has not waited for its child by then never will. */
const creditKeptNs = 300e9;
export class CpuAccounting {
  #counted = new Map();
  #credits = new Map();
  /** Of the processes before a restart. */
  #restored;
  #first = true;
  /** After a restart of ours: what processes spent meanwhile is theirs too. */
  restore(state) {
    this.#restored = new Map(state.map((counted) => [`${counted[0]} ${counted[1]}`, counted]));
  }
  state() {
    return [...this.#counted.values()].map(({ process, cpuNs, waitedNs }) => [process.pid, process.startTime, cpuNs, waitedNs]);
  }
  /** Calls `charge` for everyone who has spent something. What ran before the very first scan is on nobody's account. */
  scan(processes, nowNs, charge) {
    for (const [pid, counted] of this.#counted) {
      if (processes.get(pid) === counted.process) continue;
      this.#counted.delete(pid);
      this.#credits.delete(pid);
      this.#credit(counted, nowNs);
    }
    for (const process of processes.values()) {
      if (process.cpuNs < 0) continue;
      const counted = this.#counted.get(process.pid) ?? this.#begin(process);
      const ownNs = Math.max(0, process.cpuNs - counted.cpuNs);
      const childrenNs = this.#afterCredit(process.pid, process.waitedNs - counted.waitedNs);
      counted.cpuNs = process.cpuNs;
      counted.waitedNs = process.waitedNs;
      counted.parentPid = process.parentPid;
      if (ownNs + childrenNs > 0) charge(process, ownNs + childrenNs);
    }
    for (const [pid, { untilNs }] of this.#credits) if (untilNs < nowNs) this.#credits.delete(pid);
    this.#first = false;
    this.#restored = undefined;
  }
  #begin(process) {
    const before = this.#restored?.get(`${process.pid} ${process.startTime}`);
    const known = before !== undefined || this.#first;
    const counted = {
      process,
      cpuNs: before?.[2] ?? (known ? process.cpuNs : 0),
      waitedNs: before?.[3] ?? (known ? process.waitedNs : 0),
      parentPid: process.parentPid,
    };
    this.#counted.set(process.pid, counted);
    return counted;
  }
  #credit({ parentPid, cpuNs, waitedNs }, nowNs) {
    const before = this.#credits.get(parentPid)?.ns ?? 0;
    this.#credits.set(parentPid, { ns: before + cpuNs + waitedNs, untilNs: nowNs + creditKeptNs });
  }
  /** The kernel tells the time of children in ticks of 10 ms: what is left over of a credit must not be charged to them again. */
  #afterCredit(pid, waitedNs) {
    if (waitedNs <= 0) return 0;
    const credit = this.#credits.get(pid);
    if (credit === undefined) return waitedNs;
    const used = Math.min(credit.ns, waitedNs);
    credit.ns -= used;
    return waitedNs - used;
  }
}
