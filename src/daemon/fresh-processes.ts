/** Processes that have just started or called exec, and are yet to be judged. */

/** Of those that wait; the next scan finds the ones beyond. */
const mostFresh = 1000;
/** Rest after a look at them, as a multiple of its time: a host that forks without end takes a tenth of a CPU for it. */
const restedTimes = 9;

/** What comes while others are being judged waits for its turn together. */
export class FreshProcesses {
  readonly #judge: (take: () => readonly number[]) => Promise<void>;
  #waiting = new Set<number>();
  #judging = false;
  #restUntilMs = 0;

  /** `judge` is told how to take them when its turn has come; it must not reject. */
  constructor(judge: (take: () => readonly number[]) => Promise<void>) {
    this.#judge = judge;
  }

  add(pids: Iterable<number>): void {
    for (const pid of pids) if (this.#waiting.size < mostFresh) this.#waiting.add(pid);
    if (this.#judging || this.#waiting.size === 0) return;
    this.#judging = true;
    setTimeout(() => void this.#judgeAll(), Math.max(0, this.#restUntilMs - performance.now())).unref();
  }

  /** What is rested from afterwards. */
  async looking<T>(look: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const found = await look();
    const endedMs = performance.now();
    this.#restUntilMs = endedMs + restedTimes * (endedMs - startedMs);
    return found;
  }

  async #judgeAll(): Promise<void> {
    await this.#judge(() => {
      const taken = [...this.#waiting];
      this.#waiting = new Set();
      return taken;
    });
    this.#judging = false;
    this.add([]);
  }
}
