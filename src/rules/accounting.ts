/**
 * Who spent how much CPU time since the last scan. Pure.
 *
 * A child that comes and goes between two scans is never seen; its time is found in that of its parent, to which the kernel adds what a child has spent
 * when the parent waits for it. What was counted for a child while it lived is taken off again there. Lost is the time of children whose parent never
 * waits (SIGCHLD ignored), and of those that outlive their parent and are not seen in any scan: init inherits them.
 */
import type { ProcessInfo } from "../discovery/process-info.js";

interface Counted {
  readonly process: ProcessInfo;
  cpuNs: number;
  waitedNs: number;
  parentPid: number;
}

/** What was counted for children that have gone, until their parent's figures show them. */
interface Credit {
  ns: number;
  untilNs: number;
}

/** A parent that has not waited for its child by then never will. */
const creditKeptNs = 300e9;

/** What a process had been charged for, for the next start: PID, start time, CPU time and that of its children, ns. */
export type CountedState = [pid: number, startTime: number, cpuNs: number, waitedNs: number];

export class CpuAccounting {
  readonly #counted = new Map<number, Counted>();
  readonly #credits = new Map<number, Credit>();
  /** Of the processes before a restart. */
  #restored: Map<string, CountedState> | undefined;
  #first = true;

  /** After a restart of ours: what processes spent meanwhile is theirs too. */
  restore(state: readonly CountedState[]): void {
    this.#restored = new Map(state.map((counted) => [`${counted[0]} ${counted[1]}`, counted]));
  }

  state(): CountedState[] {
    return [...this.#counted.values()].map(({ process, cpuNs, waitedNs }) => [process.pid, process.startTime, cpuNs, waitedNs]);
  }

  /** Calls `charge` for everyone who has spent something. What ran before the very first scan is on nobody's account. */
  scan(processes: ReadonlyMap<number, ProcessInfo>, nowNs: number, charge: (process: ProcessInfo, cpuNs: number) => void): void {
    this.#creditGone(processes, nowNs);
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

  #begin(process: ProcessInfo): Counted {
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

  /** To whoever waits for them, which is an ancestor where several generations went at once; with what they were credited with themselves. */
  #creditGone(processes: ReadonlyMap<number, ProcessInfo>, nowNs: number): void {
    const gone = new Map([...this.#counted].filter(([pid, { process }]) => processes.get(pid) !== process));
    for (const pid of gone.keys()) this.#counted.delete(pid);
    for (const [pid, { parentPid, cpuNs, waitedNs }] of gone) {
      let heir = parentPid;
      for (let steps = gone.size; steps > 0 && gone.has(heir); steps--) heir = gone.get(heir)?.parentPid ?? 0;
      const ns = cpuNs + waitedNs + (this.#credits.get(pid)?.ns ?? 0);
      this.#credits.delete(pid);
      this.#credits.set(heir, { ns: (this.#credits.get(heir)?.ns ?? 0) + ns, untilNs: nowNs + creditKeptNs });
    }
  }

  /** The kernel tells the time of children in ticks of 10 ms: what is left over of a credit must not be charged to them again. */
  #afterCredit(pid: number, waitedNs: number): number {
    if (waitedNs <= 0) return 0;
    const credit = this.#credits.get(pid);
    if (credit === undefined) return waitedNs;
    const used = Math.min(credit.ns, waitedNs);
    credit.ns -= used;
    return waitedNs - used;
  }
}
