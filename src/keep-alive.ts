/** Whether an engine keeps the event loop alive. */
import type { NativeEngine } from "./native.js";

/**
 * It does while its owner wants it to, and while somebody awaits what will come soon: the first signal, a release, the end. Without that a
 * script that awaits nothing else would end before, with its promise unsettled.
 */
export class KeepAlive {
  #wanted = false;
  #awaited = 0;

  constructor(private readonly engine: Pick<NativeEngine, "ref" | "unref">) {}

  want(wanted: boolean): void {
    this.#wanted = wanted;
    this.#update();
  }

  /** Each call needs a call of `drop`. */
  hold(): void {
    if (this.#awaited++ === 0) this.#update();
  }

  drop(): void {
    if (--this.#awaited === 0) this.#update();
  }

  #update(): void {
    if (this.#wanted || this.#awaited > 0) this.engine.ref();
    else this.engine.unref();
  }
}
