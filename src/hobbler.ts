/** A set of targets and the engine that hobbles them. */
import { EventEmitter } from "node:events";
import { callNative, HobbleError, type HobbleErrorCode } from "./errors.js";
import { KeepAlive } from "./keep-alive.js";
import { type EndReason, Lifecycle } from "./lifecycle.js";
import { createEngine, type NativeEngine, type NativeEvent } from "./native.js";
import { checkHobblerOptions, checkSelector, type HobblerOptions, type TargetSelector } from "./options.js";
import { idOf, Pool, type PoolOptions } from "./pool.js";
import { type EngineHistograms, type HobblerStats, readHistograms, readHobblerStats } from "./stats.js";
import { lifecycleOf, refuseUpdate, Target } from "./target.js";
import { readTargetStats, type TargetStats } from "./target-stats.js";
import { checkTerms, type TargetTerms } from "./terms.js";

export interface OverloadEvent {
  /** "concurrency": the duties together exceed the cap, run windows are deferred. "cpu": the engine needs more than `maxShare`. */
  reason: "concurrency" | "cpu";
  message: string;
  /** Periods are lengthened by this factor now; 1 = not at all. */
  stretch: number;
}

export interface EvasionEvent {
  target: Target;
  /** The member that ran last. */
  pid: number;
  /** CPU time used in stop windows since the last report. */
  evadedNs: number;
  /** CPU time used by all members since the last report, as a share of one CPU; undefined in the first. */
  share: number | undefined;
  /** What is done about it: it is sent SIGSTOP again; it is frozen as a cgroup from now on; nothing. */
  answer: "restop" | "freeze" | "report";
  message: string;
}

export interface HobblerEvents {
  /** The last member of a target is gone. */
  exit: [{ target: Target }];
  /** A target could not be hobbled, or no longer. Without a listener nothing happens; `target.ready` tells too. */
  error: [{ target: Target; error: HobbleError }];
  overload: [OverloadEvent];
  /** The guardian cannot be started, or not again: until it can, nobody resumes what is stopped if this process is killed with SIGKILL. */
  unguarded: [{ error: HobbleError }];
  /**
   * Somebody else stopped a member (SIGSTOP, Ctrl-Z: "signal"), or a debugger holds it ("tracer"): it is not signalled until it runs again, which
   * `unheld` tells.
   */
  held: [{ target: Target; pid: number; by: "signal" | "tracer" }];
  unheld: [{ target: Target; pid: number }];
  /** It was asked for with `via: "freeze"`, or `onEvasion`, that the target be frozen, and that is not allowed here: it is sent signals. */
  unfrozen: [{ target: Target; message: string }];
  /** A member runs in stop windows, because it is sent SIGCONT: told when it is proved, and up to four times a second while it goes on. */
  evasion: [EvasionEvent];
  /** It has more than `maxMembers` members: it is frozen as a cgroup, where that is allowed (`unfrozen` follows where it is not), or no more are taken. */
  crowded: [{ target: Target; members: number; message: string }];
  /** The time given with `for` is over: everything was resumed and released. */
  finished: [];
  /** The engine has ended, and everything was resumed: after `close`, or by itself, because of a lost guardian that is required (`unguarded` came before). */
  closed: [];
}

/** Hobblers that were not closed: they go on hobbling, referenced by their owner or not. */
const living = new Set<Hobbler>();

/**
 * Hobbles processes until they are released, or it is closed, or this process ends; each of these resumes them. It does not keep the event loop
 * alive (see `ref`) and installs no signal handlers: a process that ends by the default action of a signal must close its hobblers in a handler
 * of its own first.
 */
export class Hobbler extends EventEmitter<HobblerEvents> implements AsyncDisposable {
  readonly #engine: NativeEngine;
  readonly #onEvasion: number;
  readonly #keepAlive: KeepAlive;
  readonly #targets = new Map<number, Target>();
  readonly #pools = new Map<string, Pool>();
  readonly #signal: AbortSignal | undefined;
  readonly #closeOnAbort = () => void this.close();
  #closing: Promise<void> | undefined;
  #finished = false;
  #resolveClosed: () => void = () => {};

  /**
   * @throws HobbleError `EINVAL` for an option out of its range; `EPERM` when `realtime: "require"` cannot be had; `ERR_RUNTIME_DIR` when the
   * runtime directory cannot be used; `ERR_UNSUPPORTED` where hobble does not work, or `guardian: "require"` cannot be had. The reason of `signal` when that is aborted already.
   */
  constructor(options: HobblerOptions = {}) {
    super();
    const { native, signal, onEvasion } = checkHobblerOptions(options);
    this.#onEvasion = onEvasion;
    signal?.throwIfAborted();
    this.#engine = createEngine(native, () => this.#dispatch());
    this.#keepAlive = new KeepAlive(this.#engine);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#closeOnAbort, { once: true });
    living.add(this);
  }

  /**
   * Makes a process, a process group, a tree or a cgroup a target. Returns at once; `target.ready` tells how it went.
   *
   * @throws HobbleError `EINVAL` for what cannot be right, `ERR_CLOSED` after `close` or the end of `for`.
   */
  add(selector: TargetSelector, terms: TargetTerms): Target {
    const selection = checkSelector(selector);
    const checked = checkTerms(terms, this.#findPool);
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the hobbler is closed", { pid: selection.pid });
    if (this.#finished) throw new HobbleError("ERR_CLOSED", "the time given with for is over", { pid: selection.pid });
    const { kind, pid, startTime, inode, adoptOrphans, cgroup, via, onEvasion = this.#onEvasion } = selection;
    const id = callNative(() => this.#engine.add(kind, pid, startTime, inode, adoptOrphans, checked.block, cgroup, via, onEvasion), pid);
    const target = new Target(this.#engine, new Lifecycle(selection.pid, this.#keepAlive), id, selection, checked, this.#findPool);
    this.#targets.set(id, target);
    return target;
  }

  /** Everything that is a target now, by id. */
  get targets(): ReadonlyMap<number, Target> {
    return this.#targets;
  }

  /**
   * Makes a pool: targets that are added with `{ pool }` share its limit.
   *
   * @throws HobbleError `EINVAL` for what cannot be right, or when there is a pool of that name already; `ERR_CLOSED` after `close`.
   */
  pool(name: string, options: PoolOptions): Pool {
    if (typeof name !== "string" || name === "") throw new HobbleError("EINVAL", "the name of a pool must be a string, and not empty");
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the hobbler is closed");
    if (this.#pools.has(name))
      throw new HobbleError("EINVAL", `there is a pool ${JSON.stringify(name)} already; change it with its update()`);
    const pool = callNative(() => new Pool(this.#engine, name, options, () => this.#pools.delete(name)));
    this.#pools.set(name, pool);
    return pool;
  }

  /** Pools that were not closed, by name. */
  get pools(): ReadonlyMap<string, Pool> {
    return this.#pools;
  }

  readonly #findPool = (given: unknown): number => {
    const pool = typeof given === "string" ? this.#pools.get(given) : given;
    const id = pool instanceof Pool && this.#pools.get(pool.name) === pool ? idOf(pool) : undefined;
    if (id !== undefined) return id;
    if (typeof given !== "string") throw new HobbleError("EINVAL", "pool must be a pool of this hobbler that was not closed, or its name");
    throw new HobbleError("EINVAL", `there is no pool ${JSON.stringify(given)}; make it with pool() first`);
  };

  /** Figures of the engine as a whole. They stay readable after `close`. */
  stats(): HobblerStats {
    return readHobblerStats(this.#engine);
  }

  /** How lateness and window errors are distributed: what a monitoring system takes. */
  histograms(): EngineHistograms {
    return readHistograms(this.#engine);
  }

  /**
   * Figures of all targets in one pass: 10,000 in a few milliseconds.
   *
   * @param options.cpu read CPU times too, at about 1 µs for each member. Default false.
   */
  targetStats(options: { cpu?: boolean } = {}): TargetStats[] {
    return readTargetStats(this.#engine, this.#targets.keys(), options.cpu ?? false);
  }

  /** Resumes everything and keeps it running. All of it runs when this returns. */
  pause(): void {
    this.#engine.pause();
  }

  /** Goes back to the cycles after `pause`. */
  resume(): void {
    this.#engine.resume();
  }

  /** Keeps the event loop alive until closed. */
  ref(): this {
    this.#keepAlive.want(true);
    return this;
  }

  /** Lets the event loop end; everything is resumed then. This is the default. */
  unref(): this {
    this.#keepAlive.want(false);
    return this;
  }

  /** Resumes and releases everything and ends the engine. May be called again at any time. */
  close(): Promise<void> {
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Called by the native side when there are events. */
  #dispatch(): void {
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

  #handle(event: NativeEvent | number): void {
    if (typeof event === "number") {
      const target = this.#targets.get(event);
      if (target !== undefined) lifecycleOf(target).markReady();
      return;
    }
    switch (event.type) {
      case "released":
        this.#end(event.id, event.code as EndReason);
        break;
      case "exit": {
        const target = this.#end(event.id, "exit");
        if (target !== undefined) this.emit("exit", { target });
        break;
      }
      case "error": {
        const error = new HobbleError(event.code as HobbleErrorCode, event.message, { pid: event.pid });
        const target = this.#end(event.id, "error", error);
        if (target !== undefined && this.listenerCount("error") > 0) this.emit("error", { target, error });
        break;
      }
      case "overload": {
        const target = this.#targets.get(event.id);
        if (target !== undefined) refuseUpdate(target, event.amount);
        this.emit("overload", { reason: event.code as OverloadEvent["reason"], message: event.message, stretch: event.stretch });
        break;
      }
      case "held":
      case "unheld": {
        const target = this.#targets.get(event.id);
        if (target === undefined) break;
        if (event.type === "held") this.emit("held", { target, pid: event.pid, by: event.code as "signal" | "tracer" });
        else this.emit("unheld", { target, pid: event.pid });
        break;
      }
      case "unfrozen": {
        const target = this.#targets.get(event.id);
        if (target !== undefined) this.emit("unfrozen", { target, message: event.message });
        break;
      }
      case "evasion": {
        const target = this.#targets.get(event.id);
        if (target === undefined) break;
        const { pid, amount: evadedNs, message } = event;
        this.emit("evasion", {
          target,
          pid,
          evadedNs,
          share: event.share > 0 ? event.share : undefined,
          answer: event.code as EvasionEvent["answer"],
          message,
        });
        break;
      }
      case "crowded": {
        const target = this.#targets.get(event.id);
        if (target !== undefined) this.emit("crowded", { target, members: event.amount, message: event.message });
        break;
      }
      case "guardian":
        this.emit("unguarded", { error: new HobbleError(event.code as HobbleErrorCode, event.message) });
        break;
      case "finished":
        this.#finished = true;
        this.#endAll("finished");
        this.emit("finished");
        break;
      case "closed":
        this.#endAll("closed");
        // It may have closed by itself (guardian: "require").
        this.#closing ??= Promise.resolve();
        // Everything runs already: this only ends the threads, and lets the event loop end.
        this.#engine.closeNow();
        living.delete(this);
        this.#resolveClosed();
        this.emit("closed");
        break;
    }
  }

  #end(id: number, reason: EndReason, error?: HobbleError): Target | undefined {
    const target = this.#targets.get(id);
    if (target === undefined) return undefined;
    this.#targets.delete(id);
    lifecycleOf(target).markEnded(reason, error);
    return target;
  }

  #endAll(reason: EndReason): void {
    for (const id of [...this.#targets.keys()]) this.#end(id, reason);
  }
}
