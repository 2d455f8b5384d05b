/** The two moments in the life of a target that callers may wait for. */
import { HobbleError } from "./errors.js";
import type { KeepAlive } from "./keep-alive.js";

/**
 * Why a target is none any more: its last member exited; it was released; it failed (see its "error" event); the time given with `for` was over;
 * the hobbler was closed.
 */
export type EndReason = "exit" | "released" | "error" | "finished" | "closed";

interface Waiting<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

/** Promises are made when they are asked for: of 10,000 targets few are awaited twice, many never. */
export class Lifecycle {
  readonly #pid: number;
  readonly #keepAlive: KeepAlive;
  #isReady = false;
  #end: EndReason | undefined;
  #error: HobbleError | undefined;
  #ready: Waiting<void> | undefined;
  #ended: Waiting<EndReason> | undefined;
  #releasing = false;

  constructor(pid: number, keepAlive: KeepAlive) {
    this.#pid = pid;
    this.#keepAlive = keepAlive;
  }

  /** Keeps the event loop alive until it is settled. */
  get ready(): Promise<void> {
    if (this.#ready === undefined) {
      this.#ready = waiting();
      if (this.#undecided) this.#keepAlive.hold();
      else this.#settleReady();
    }
    return this.#ready.promise;
  }

  /** Does not keep the event loop alive. */
  get ended(): Promise<EndReason> {
    this.#ended ??= waiting();
    if (this.#end !== undefined) this.#ended.resolve(this.#end);
    return this.#ended.promise;
  }

  get end(): EndReason | undefined {
    return this.#end;
  }

  get #undecided(): boolean {
    return !this.#isReady && this.#end === undefined;
  }

  get releasing(): boolean {
    return this.#releasing;
  }

  /** Its end is on its way: keeps the event loop alive until then. */
  markReleasing(): void {
    this.#releasing = true;
    this.#keepAlive.hold();
  }

  markReady(): void {
    const decides = this.#undecided;
    this.#isReady = true;
    if (decides) this.#decided();
  }

  markEnded(end: EndReason, error?: HobbleError): void {
    const decides = this.#undecided;
    this.#end = end;
    this.#error = error;
    if (decides) this.#decided();
    if (this.#releasing) this.#keepAlive.drop();
    this.#ended?.resolve(end);
  }

  #decided(): void {
    if (this.#ready === undefined) return;
    this.#keepAlive.drop();
    this.#settleReady();
  }

  #settleReady(): void {
    const ready = this.#ready;
    if (ready === undefined) return;
    if (this.#isReady) ready.resolve();
    else ready.reject(this.#error ?? this.#endedTooSoon());
    // The functions are of no more use, and ten thousand of them weigh a megabyte.
    this.#ready = { promise: ready.promise, resolve: ignore, reject: ignore };
  }

  #endedTooSoon(): HobbleError {
    const pid = this.#pid;
    return this.#end === "exit"
      ? new HobbleError("ESRCH", `process ${pid} exited before its first signal`, { pid })
      : new HobbleError("ERR_CLOSED", `process ${pid} was released before its first signal`, { pid });
  }
}

const ignore = (): void => {};

function waiting<T>(): Waiting<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  // Whoever looks at `ready` and then forgets it must not bring the process down with an unhandledRejection.
  promise.catch(ignore);
  return { promise, resolve, reject };
}
