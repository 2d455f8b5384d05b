/** The two moments in the life of a target that callers may wait for. */
import { HobbleError } from "./errors.js";
/** Promises are made when they are asked for: of 10,000 targets few are awaited twice, many never. */
export class Lifecycle {
  #pid;
  #keepAlive;
  #isReady = false;
  #end;
  #error;
  #ready;
  #ended;
  #releasing = false;
  constructor(pid, keepAlive) {
    this.#pid = pid;
    this.#keepAlive = keepAlive;
  }
  /** Keeps the event loop alive until it is settled. */
  get ready() {
    if (this.#ready === undefined) {
      this.#ready = waiting();
      if (this.#undecided) this.#keepAlive.hold();
      else this.#settleReady();
    }
    return this.#ready.promise;
  }
  /** Does not keep the event loop alive. */
  get ended() {
    this.#ended ??= waiting();
    if (this.#end !== undefined) this.#ended.resolve(this.#end);
    return this.#ended.promise;
  }
  get end() {
    return this.#end;
  }
  get #undecided() {
    return !this.#isReady && this.#end === undefined;
  }
  get releasing() {
    return this.#releasing;
  }
  /** Its end is on its way: keeps the event loop alive until then. */
  markReleasing() {
    this.#releasing = true;
    this.#keepAlive.hold();
  }
  markReady() {
    const decides = this.#undecided;
    this.#isReady = true;
    if (decides) this.#decided();
  }
  markEnded(end, error) {
    const decides = this.#undecided;
    this.#end = end;
    this.#error = error;
    if (decides) this.#decided();
    if (this.#releasing) this.#keepAlive.drop();
    this.#ended?.resolve(end);
  }
  #decided() {
    if (this.#ready === undefined) return;
    this.#keepAlive.drop();
    this.#settleReady();
  }
  #settleReady() {
    if (this.#isReady) this.#ready?.resolve();
    else this.#ready?.reject(this.#error ?? this.#endedTooSoon());
  }
  #endedTooSoon() {
    const pid = this.#pid;
    return this.#end === "exit"
      ? new HobbleError("ESRCH", `process ${pid} exited before its first signal`, { pid })
      : new HobbleError("ERR_CLOSED", `process ${pid} was released before its first signal`, { pid });
  }
}
function waiting() {
  let resolve;
  let reject;
  const promise = new Promise((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  // Whoever looks at `ready` and then forgets it must not bring the process down with an unhandledRejection.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
