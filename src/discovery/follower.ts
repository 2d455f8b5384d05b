/** What has changed from one list of processes to the next. Pure. */
import type { Candidate } from "./source.js";

export interface Changes {
  appeared: Candidate[];
  /** PIDs. */
  vanished: number[];
}

/**
 * Remembers what is listed. A process that has exited, or could not be hobbled, stays remembered while its PID is listed: a stale line in a file
 * must not make a target of the stranger that gets the PID next.
 */
export class Follower {
  readonly #listed = new Map<number, Candidate>();
  readonly #offerAgain = new Set<number>();

  follow(list: readonly Candidate[]): Changes {
    const now = new Map(list.map((candidate) => [candidate.pid, candidate]));
    const changes: Changes = { appeared: [], vanished: [] };
    for (const [pid, before] of this.#listed) {
      const present = now.get(pid);
      if (present === undefined || !sameProcess(before, present)) changes.vanished.push(pid);
    }
    for (const pid of changes.vanished) this.#listed.delete(pid);
    for (const candidate of now.values()) {
      if (this.#listed.has(candidate.pid) && !this.#offerAgain.has(candidate.pid)) continue;
      this.#listed.set(candidate.pid, candidate);
      changes.appeared.push(candidate);
    }
    this.#offerAgain.clear();
    return changes;
  }

  /** Lets it appear again with the next list, if it is still on it: for one that could not be hobbled for a reason that may pass. */
  offerAgain(pid: number): void {
    this.#offerAgain.add(pid);
  }
}

/** As far as both sides know who it is. */
function sameProcess(a: Candidate, b: Candidate): boolean {
  return agree(a.inode, b.inode) && agree(a.startTime, b.startTime);
}

function agree(a: bigint | number | undefined, b: bigint | number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
