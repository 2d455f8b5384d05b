/** A set of targets and the engine that hobbles them. */
import { EventEmitter } from "node:events";
import { callNative, HobbleError } from "./errors.js";
import { KeepAlive } from "./keep-alive.js";
import { Lifecycle } from "./lifecycle.js";
import { createEngine } from "./native.js";
import { checkHobblerOptions, checkSelector } from "./options.js";
import { idOf, Pool } from "./pool.js";
import { readHistograms, readHobblerStats } from "./stats.js";
import { lifecycleOf, Target } from "./target.js";
import { readTargetStats } from "./target-stats.js";
import { checkTerms } from "./terms.js";

/** Hobblers that were not closed: they go on hobbling, referenced by their owner or not. */
const living = new Set();
/**
 * Hobbles processes until they are released, or it is closed, or this process ends; each of these resumes them. It does not keep the event loop
 * alive (see `ref`) and installs no signal handlers: a process that ends by the default action of a signal must close its hobblers in a handler
 * of its own first.
 */
export class Hobbler extends EventEmitter {
  #engine;
  #keepAlive;
  #targets = new Map();
  #pools = new Map();
  #signal;
  #closeOnAbort = () => void this.close();
  #closing;
  #resolveClosed = () => {};
  /**
   * @throws HobbleError `EINVAL` for an option out of its range; `EPERM` when `realtime: "require"` cannot be had; `ERR_RUNTIME_DIR` when the
   * runtime directory cannot be used; `ERR_UNSUPPORTED` where hobble does not work, or `guardian: "require"` cannot be had. The reason of `signal` when that is aborted already.
   */
  constructor(options = {}) {
    super();
    const { native, signal } = checkHobblerOptions(options);
    signal?.throwIfAborted();
    this.#engine = createEngine(native, () => this.#dispatch());
    this.#keepAlive = new KeepAlive(this.#engine);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#closeOnAbort, { once: true });
    living.add(this);
  }
  /**
   * Makes a process, a process group or a tree a target. Returns at once; `target.ready` tells how it went.
   *
   * @throws HobbleError `EINVAL` for what cannot be right, `ERR_CLOSED` after `close` or the end of `for`.
   */
  add(selector, terms) {
    const selection = checkSelector(selector);
    const checked = checkTerms(terms, this.#findPool);
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the hobbler is closed", { pid: selection.pid });
    const { kind, pid, startTime, inode, adoptOrphans } = selection;
    const id = callNative(() => this.#engine.add(kind, pid, startTime, inode, adoptOrphans, checked.block), pid);
    const target = new Target(this.#engine, new Lifecycle(selection.pid, this.#keepAlive), id, selection, checked, this.#findPool);
    this.#targets.set(id, target);
    return target;
  }
  /** Everything that is a target now, by id. */
  get targets() {
    return this.#targets;
  }
  /**
   * Makes a pool: targets that are added with `{ pool }` share its limit.
   *
   * @throws HobbleError `EINVAL` for what cannot be right, or when there is a pool of that name already; `ERR_CLOSED` after `close`.
   */
  pool(name, options) {
    if (typeof name !== "string" || name === "") throw new HobbleError("EINVAL", "the name of a pool must be a string, and not empty");
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the hobbler is closed");
    if (this.#pools.has(name))
      throw new HobbleError("EINVAL", `there is a pool ${JSON.stringify(name)} already; change it with its update()`);
    const pool = callNative(() => new Pool(this.#engine, name, options, () => this.#pools.delete(name)));
    this.#pools.set(name, pool);
    return pool;
  }
  /** Pools that were not closed, by name. */
  get pools() {
    return this.#pools;
  }
  #findPool = (given) => {
    const pool = typeof given === "string" ? this.#pools.get(given) : given;
    const id = pool instanceof Pool && this.#pools.get(pool.name) === pool ? idOf(pool) : undefined;
    if (id !== undefined) return id;
    if (typeof given !== "string") throw new HobbleError("EINVAL", "pool must be a pool of this hobbler that was not closed, or its name");
    throw new HobbleError("EINVAL", `there is no pool ${JSON.stringify(given)}; make it with pool() first`);
  };
  /** Figures of the engine as a whole. They stay readable after `close`. */
  stats() {
    return readHobblerStats(this.#engine);
  }
  /** How lateness and window errors are distributed: what a monitoring system takes. */
  histograms() {
    return readHistograms(this.#engine);
  }
  /**
   * Figures of all targets in one pass: 10,000 in a few milliseconds.
   *
   * @param options.cpu read CPU times too, at about 1 µs for each member. Default false.
   */
  targetStats(options = {}) {
    return readTargetStats(this.#engine, this.#targets.keys(), options.cpu ?? false);
  }
  /** Resumes everything and keeps it running. All of it runs when this returns. */
  pause() {
    this.#engine.pause();
  }
  /** Goes back to the cycles after `pause`. */
  resume() {
    this.#engine.resume();
  }
  /** Keeps the event loop alive until closed. */
  ref() {
    this.#keepAlive.want(true);
    return this;
  }
  /** Lets the event loop end; everything is resumed then. This is the default. */
  unref() {
    this.#keepAlive.want(false);
    return this;
  }
  /** Resumes and releases everything and ends the engine. May be called again at any time. */
  close() {
    if (this.#closing === undefined) {
      this.#closing = new Promise((resolve) => {
        this.#resolveClosed = resolve;
      });
      this.#keepAlive.hold();
      this.#signal?.removeEventListener("abort", this.#closeOnAbort);
      this.#engine.close();
    }
    return this.#closing;
  }
  [Symbol.asyncDispose]() {
    return this.close();
  }
  /** Called by the native side when there are events. */
  #dispatch() {
    for (const event of this.#engine.drain()) {
      try {
        this.#handle(event);
      } catch (error) {
        // A listener threw. The events behind this one must not be lost; the error ends the process as it would have from a timer.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
  #handle(event) {
    switch (event.type) {
      case "ready": {
        const target = this.#targets.get(event.id);
        if (target !== undefined) lifecycleOf(target).markReady();
        break;
      }
      case "released":
        this.#end(event.id, event.code);
        break;
      case "exit": {
        const target = this.#end(event.id, "exit");
        if (target !== undefined) this.emit("exit", { target });
        break;
      }
      case "error": {
        const error = new HobbleError(event.code, event.message, { pid: event.pid });
        const target = this.#end(event.id, "error", error);
        if (target !== undefined && this.listenerCount("error") > 0) this.emit("error", { target, error });
        break;
      }
      case "overload":
        this.emit("overload", { reason: event.code, message: event.message, stretch: event.stretch });
        break;
      case "held":
      case "unheld": {
        const target = this.#targets.get(event.id);
        if (target === undefined) break;
        if (event.type === "held") this.emit("held", { target, pid: event.pid, by: event.code });
        else this.emit("unheld", { target, pid: event.pid });
        break;
      }
      case "guardian":
        this.emit("unguarded", { error: new HobbleError(event.code, event.message) });
        break;
      case "finished":
        this.#endAll("finished");
        this.emit("finished");
        break;
      case "closed":
        this.#endAll("closed");
        // Everything runs already: this only ends the threads, and lets the event loop end.
        this.#engine.closeNow();
        living.delete(this);
        this.#resolveClosed();
        break;
    }
  }
  #end(id, reason, error) {
    const target = this.#targets.get(id);
    if (target === undefined) return undefined;
    this.#targets.delete(id);
    lifecycleOf(target).markEnded(reason, error);
    return target;
  }
  #endAll(reason) {
    for (const id of [...this.#targets.keys()]) this.#end(id, reason);
  }
}
