/** The targets of a daemon: brings them in line with what is desired, and remembers why each is one. */
import { setImmediate as pause } from "node:timers/promises";
import type { ProcessInfo } from "../discovery/process-info.js";
import { HobbleError } from "../errors.js";
import type { Hobbler } from "../hobbler.js";
import type { TargetSelector } from "../options.js";
import { ancestorsOf } from "../rules/conditions.js";
import type { Amount } from "../rules/rule.js";
import type { Target } from "../target.js";
import type { TargetKindName, TargetStats } from "../target-stats.js";
import type { TargetTerms, TermsChanges } from "../terms.js";
import type { Desired, DesiredTargets } from "./desired.js";
import type { Journal, News } from "./journal.js";
import type { Asked, Origin } from "./supervisor.js";

/** Who imposed it, how, and what is known of it since. */
export interface Entry {
  readonly process: ProcessInfo;
  readonly target: Target;
  readonly kind: TargetKindName;
  amount: Amount;
  tier: number;
  readonly origin: Origin;
  readonly by: string;
  readonly byUid: number | null;
  readonly byAdmin: boolean | null;
  reason: string;
  readonly sinceAt: number;
  untilAt: number | null;
  readonly notify: string | undefined;
  ready: boolean;
  /** Why it is being released. */
  leaving: string | undefined;
  /** Whether it had to be stopped since the last scan. */
  throttled: boolean | undefined;
  /** CPUs used between the last two scans. */
  cpu: number | null;
  cpuSeconds: number | null;
  sample: Sample | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly cpuNs: number;
  readonly ranNs: number;
  readonly throttledNs: number;
}

/** To add one takes 5 to 10 µs. */
const addsInOneGo = 128;
/** A process that could not be hobbled for a reason that may pass is tried again after this time. */
const triedAgainMs = 30_000;

export interface BookEvents {
  /** A process became a target of a rule or quota, went up a tier, or was let go. */
  moved(moment: "entry" | "escalation" | "release", entry: Entry, news: News): void;
}

export class TargetBook {
  readonly #hobbler: Hobbler;
  readonly #journal: Journal;
  readonly #events: BookEvents;
  readonly #entries = new Map<number, Entry>();
  readonly #byTarget = new Map<Target, Entry>();
  /** Processes that cannot be hobbled, and when to try again (never: infinity). */
  readonly #refused = new WeakMap<ProcessInfo, { readonly untilMs: number; readonly message: string; readonly code: string }>();
  #covered: ReadonlyMap<number, number> = new Map();

  constructor(hobbler: Hobbler, journal: Journal, events: BookEvents) {
    this.#hobbler = hobbler;
    this.#journal = journal;
    this.#events = events;
    hobbler.on("exit", ({ target }) => this.#exited(target));
    hobbler.on("error", ({ target, error }) => this.#failed(target, error));
    hobbler.on("held", ({ target, pid, by }) =>
      this.#told(target, "held", pid, by === "tracer" ? "a debugger holds it" : "somebody else stopped it"),
    );
    hobbler.on("unheld", ({ target, pid }) => this.#told(target, "unheld", pid, "it runs again"));
  }

  get entries(): ReadonlyMap<number, Entry> {
    return this.#entries;
  }

  /** The target that a process belongs to. */
  of(pid: number): Entry | undefined {
    const root = this.#covered.get(pid);
    return this.#entries.get(pid) ?? (root === undefined ? undefined : this.#entries.get(root));
  }

  /** Why a process could not be hobbled, if it could not. */
  refusal(process: ProcessInfo): { readonly message: string; readonly code: string } | undefined {
    return this.#refused.get(process);
  }

  /** Makes the targets of rules and quotas what is desired. `reasons`: why a process is let go, by PID. Targets by an administrator's hand are left alone. */
  async reconcile(
    { targets, covered }: DesiredTargets,
    reasons: ReadonlyMap<number, string>,
    processes: ReadonlyMap<number, ProcessInfo>,
  ): Promise<void> {
    this.#covered = covered;
    const released: Promise<void>[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.leaving !== undefined) continue;
      const desired = targets.get(entry.process.pid);
      if (entry.origin === "hand") {
        // Else whoever limits his own process to much could lift from it what a rule makes of that.
        if (entry.byAdmin !== false) continue;
        const heir = desired?.process === entry.process ? desired : treeAbove(entry.process, processes, (pid) => targets.get(pid));
        if (heir !== undefined && this.#mayTry(heir.process)) released.push(this.release(entry, `${heir.by} takes it over`));
        continue;
      }
      if (desired !== undefined && desired.process === entry.process && desired.kind === entry.kind && desired.by === entry.by) continue;
      const asTree = desired?.process === entry.process || covered.has(entry.process.pid);
      const reason =
        reasons.get(entry.process.pid) ?? (asTree ? "it becomes part of another target" : "no rule or quota asks for it any more");
      released.push(this.release(entry, reason));
    }
    // A process can be a target once: what goes into a tree must have been released from its own.
    if (released.length > 0 && targets.size > 0) await Promise.all(released);
    let added = 0;
    // Single ones first: a tree leaves alone what is a target of its own.
    for (const kind of ["process", "tree"] as const) {
      for (const desired of targets.values()) {
        if (desired.kind !== kind) continue;
        const entry = this.#entries.get(desired.process.pid);
        if (entry !== undefined) this.#adjust(entry, desired);
        else if (this.#mayTry(desired.process)) {
          this.#add(desired);
          if (++added % addsInOneGo === 0) await pause();
        }
      }
    }
  }

  /** Adds what is desired of processes that have just started; those that belong to a tree already are members by themselves. */
  addNew({ targets }: DesiredTargets): void {
    for (const desired of targets.values()) {
      if (!this.#entries.has(desired.process.pid) && this.#mayTry(desired.process)) this.#add(desired);
    }
  }

  /** By hand. @throws HobbleError */
  async addByHand(
    process: ProcessInfo,
    selector: TargetSelector,
    amount: Amount,
    how: Pick<Entry, "by" | "byUid" | "byAdmin" | "reason" | "untilAt">,
  ): Promise<Entry> {
    if (this.#entries.has(process.pid)) {
      const entry = this.#entries.get(process.pid);
      throw new HobbleError("ERR_BUSY", `process ${process.pid} is a target already, by ${entry?.by}`, { pid: process.pid });
    }
    const target = this.#hobbler.add(selector, termsOf(amount, false));
    const entry = this.#note({
      ...how,
      process,
      target,
      kind: target.kind,
      amount,
      tier: 0,
      origin: "hand",
      sinceAt: Date.now(),
      notify: undefined,
    });
    try {
      await target.ready;
    } catch (error) {
      this.#forget(entry);
      throw error;
    }
    entry.ready = true;
    this.#tell(entry, "hobbled", entry.reason);
    return entry;
  }

  /** Resolves when its processes run. */
  async release(entry: Entry, reason: string): Promise<void> {
    if (entry.leaving === undefined) {
      entry.leaving = reason;
      const wasReady = entry.ready;
      await entry.target.release();
      this.#forget(entry);
      if (!wasReady) return;
      const news = this.#tell(entry, "released", reason);
      this.#events.moved("release", entry, news);
      return;
    }
    await entry.target.ended;
  }

  /** After a scan: how much each used, and whether it had to be stopped. */
  measure(nowMs: number): void {
    const byId = new Map<number, TargetStats>(this.#hobbler.targetStats({ cpu: true }).map((stats) => [stats.id, stats]));
    for (const entry of this.#entries.values()) {
      const stats = byId.get(entry.target.id);
      if (stats !== undefined) measure(entry, stats, nowMs);
    }
  }

  #mayTry(process: ProcessInfo): boolean {
    const refused = this.#refused.get(process);
    return refused === undefined || Date.now() >= refused.untilMs;
  }

  #add(desired: Desired): void {
    const { process, kind, amount, origin, by, reason, untilAt, notify, tier, aligned, sinceAt } = desired;
    const { pid, startTime } = process;
    const inode = process.inode ?? 0n;
    let target: Target;
    try {
      target = this.#hobbler.add(kind === "tree" ? { tree: pid, startTime, inode } : { pid, startTime, inode }, termsOf(amount, aligned));
    } catch (error) {
      if (!(error instanceof HobbleError)) throw error;
      this.#refuse(process, error, { origin, by });
      return;
    }
    const entry = this.#note({
      process,
      target,
      kind,
      amount,
      tier,
      origin,
      by,
      byUid: null,
      byAdmin: null,
      reason,
      sinceAt,
      untilAt,
      notify,
    });
    target.ready.then(
      () => {
        entry.ready = true;
        const news = this.#tell(entry, "hobbled", reason);
        this.#events.moved("entry", entry, news);
      },
      () => {}, // `error` or `exit` tells
    );
  }

  #adjust(entry: Entry, { amount, tier, reason, untilAt, aligned }: Desired): void {
    // What an administrator asked for by hand holds until it is over: no rule changes it.
    if (entry.origin === "hand") return;
    entry.untilAt = untilAt;
    if (entry.leaving !== undefined || sameAmount(entry.amount, amount)) return;
    const higher = tier > entry.tier;
    try {
      entry.target.update(changesTo(amount, aligned));
    } catch (error) {
      if (error instanceof HobbleError && error.code === "ERR_CLOSED") return;
      throw error;
    }
    entry.amount = amount;
    entry.tier = tier;
    entry.reason = reason;
    const news = this.#tell(entry, higher ? "escalated" : "changed", reason);
    if (higher) this.#events.moved("escalation", entry, news);
  }

  #note(known: Omit<Entry, "ready" | "leaving" | "throttled" | "cpu" | "cpuSeconds" | "sample">): Entry {
    const entry = { ...known, ready: false, leaving: undefined, throttled: undefined, cpu: null, cpuSeconds: null, sample: undefined };
    this.#entries.set(entry.process.pid, entry);
    this.#byTarget.set(entry.target, entry);
    return entry;
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.process.pid) === entry) this.#entries.delete(entry.process.pid);
    this.#byTarget.delete(entry.target);
  }

  #exited(target: Target): void {
    const entry = this.#byTarget.get(target);
    if (entry === undefined) return;
    this.#forget(entry);
    if (entry.ready) this.#tell(entry, "exited", "it exited");
  }

  #failed(target: Target, error: HobbleError): void {
    const entry = this.#byTarget.get(target);
    if (entry === undefined) return;
    this.#forget(entry);
    if (entry.origin !== "hand") this.#refuse(entry.process, error, entry);
  }

  #refuse(process: ProcessInfo, error: HobbleError, { origin, by }: { origin: Origin; by: string }): void {
    // Gone, or another by now: the next scan knows better.
    if (error.code === "ESRCH" || error.code === "ERR_IDENTITY") return;
    const passing = error.code === "ERR_OVERLOAD" || error.code === "EMFILE" || error.code === "ERR_BUSY";
    const known = this.#refused.get(process)?.code === error.code;
    this.#refused.set(process, {
      untilMs: passing ? Date.now() + triedAgainMs : Number.POSITIVE_INFINITY,
      message: error.message,
      code: error.code,
    });
    if (!known) this.#journal.add({ kind: "failed", ...who(process), origin, by, reason: error.message });
  }

  #told(target: Target, kind: "held" | "unheld", pid: number, reason: string): void {
    const entry = this.#byTarget.get(target);
    if (entry !== undefined) this.#tell(entry, kind, pid === entry.process.pid ? reason : `process ${pid} of it: ${reason}`);
  }

  #tell(entry: Entry, kind: News["kind"], reason: string): News {
    const { process, origin, by, amount, untilAt } = entry;
    return this.#journal.add({
      kind,
      ...who(process),
      origin,
      by,
      reason,
      asked: askedOf(amount),
      untilAt: kind === "released" ? null : untilAt,
    });
  }
}

export function who({ pid, name, uid, user }: ProcessInfo): Pick<News, "pid" | "name" | "uid" | "user"> {
  return { pid, name, uid: uid < 0 ? null : uid, user: user === "" ? null : user };
}

export function askedOf({ run, stop, limit, pool }: Amount): Asked {
  return { runNs: run ?? null, stopNs: stop ?? null, limit: limit ?? null, pool: pool ?? null };
}

function sameAmount(a: Amount, b: Amount): boolean {
  return a.run === b.run && a.stop === b.stop && a.limit === b.limit && a.pool === b.pool;
}

function termsOf({ run, stop, limit, pool }: Amount, aligned: boolean): TargetTerms {
  const cycle =
    run === undefined || stop === undefined ? {} : { run: run / 1e6, stop: stop / 1e6, ...(aligned ? { phase: "aligned" as const } : {}) };
  return { ...cycle, limit, pool } as TargetTerms;
}

/** What is not asked for any more is taken away. */
function changesTo(amount: Amount, aligned: boolean): TermsChanges {
  const { run = null, limit = null, pool = null, ...rest } = termsOf(amount, aligned) as TermsChanges;
  return { run, limit, pool, ...rest };
}

/** A cycle is had to be stopped in by definition; what tells whether it is needed is how much of the run windows is used. */
const idleShareOfRun = 0.5;

function measure(entry: Entry, stats: TargetStats, atMs: number): void {
  const cpuNs = stats.cpuNs ?? 0;
  const sample = { atMs, cpuNs, ranNs: stats.ranNs, throttledNs: stats.throttledNs };
  const before = entry.sample;
  entry.sample = sample;
  entry.cpuSeconds = cpuNs / 1e9;
  if (before === undefined || atMs <= before.atMs) return;
  entry.cpu = Math.max(0, cpuNs - before.cpuNs) / 1e6 / (atMs - before.atMs);
  if (entry.amount.run === undefined) entry.throttled = sample.throttledNs > before.throttledNs;
  else entry.throttled = sample.ranNs > before.ranNs ? (cpuNs - before.cpuNs) / (sample.ranNs - before.ranNs) > idleShareOfRun : undefined;
}

/** The nearest ancestor that is, or is to be, a tree. `of` tells what is there by PID. */
export function treeAbove<T extends { readonly kind: TargetKindName }>(
  process: ProcessInfo,
  processes: ReadonlyMap<number, ProcessInfo>,
  of: (pid: number) => T | undefined,
): T | undefined {
  for (const { pid } of ancestorsOf(process, processes)) {
    const above = of(pid);
    if (above?.kind === "tree") return above;
  }
  return undefined;
}
