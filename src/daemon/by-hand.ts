/** What people ask for one by one: targets by hand, and lifting what hobbles a process. */
import type { ProcessInfo } from "../discovery/process-info.js";
import type { ProcessSource } from "../discovery/source.js";
import { HobbleError } from "../errors.js";
import type { RuleEngine } from "../rules/engine.js";
import type { Amount } from "../rules/rule.js";
import type { PoolSettings } from "../rules/schema.js";
import { nowNs } from "./boot-clock.js";
import type { AddRequest, Caller } from "./supervisor.js";
import { type Entry, type TargetBook, treeAbove } from "./target-book.js";

/** Of setTimeout: 2^31 - 1 ms, 25 days. Longer ones are ended by a scan. */
const longestTimerMs = 2 ** 31 - 1;

interface Parts {
  readonly book: TargetBook;
  readonly source: ProcessSource;
  readonly engine: RuleEngine;
  /** Those of the configuration, by name. */
  readonly pools: () => ReadonlyMap<string, PoolSettings>;
}

export class ByHand {
  /** Processes that somebody took out of a quota's hands. */
  readonly lifted: WeakSet<ProcessInfo> = new WeakSet();
  readonly #parts: Parts;
  readonly #ends = new Set<NodeJS.Timeout>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many targets a user has asked for. */
  count(uid: number): number {
    return [...this.#parts.book.entries.values()].filter(({ origin, byUid }) => origin === "hand" && byUid === uid).length;
  }

  /** As `Supervisor.add`. */
  async add(request: AddRequest, caller: Caller): Promise<Entry> {
    const { pid, kind, startTime, inode, runNs, stopNs, limit, pool, forNs, reason } = request;
    if (pool !== null) this.#requirePool(pool, pid, caller);
    const process = await findProcess(this.#parts.source, pid);
    if (!caller.admin) this.#requireNoTreeAbove(process);
    const seen = { startTime, inode };
    const selector = kind === "tree" ? { tree: pid, ...seen } : kind === "group" ? { group: pid, ...seen } : { pid, ...seen };
    const amount: Amount = { run: runNs ?? undefined, stop: stopNs ?? undefined, limit: limit ?? undefined, pool: pool ?? undefined };
    const entry = await this.#parts.book.addByHand(process, selector, amount, {
      by: caller.user,
      byUid: caller.uid,
      byAdmin: caller.admin,
      reason: reason ?? `${caller.user} asked for it`,
      untilAt: forNs === null ? null : Date.now() + forNs / 1e6,
    });
    if (forNs !== null) this.#endAfter(entry, forNs / 1e6);
    return entry;
  }

  /** As `Supervisor.remove`. */
  async remove(pid: number, caller: Caller): Promise<void> {
    const { book, engine } = this.#parts;
    const entry = book.of(pid);
    if (entry === undefined) throw new HobbleError("ESRCH", `process ${pid} is not a target`, { pid });
    // Who lifts what he asked for himself is not let off by rules and quotas for that.
    const pardons = caller.admin || entry.origin !== "hand";
    for (const process of pardons ? this.#membersOf(entry) : []) {
      engine.pardon(process, nowNs());
      this.lifted.add(process);
    }
    await book.release(entry, `${caller.user} lifted it`);
  }

  /** After a scan. */
  async endWhatIsOver(): Promise<void> {
    const { book, source } = this.#parts;
    const byHand = [...book.entries.values()].filter(({ origin, leaving }) => origin === "hand" && leaving === undefined);
    const over = byHand.filter(({ untilAt }) => untilAt !== null && untilAt <= Date.now());
    // It has become another user's, by a program with the setuid bit: whoever asked could not have asked for that.
    const uidNow = ({ process, byUid }: Entry) => source.processes.get(process.pid)?.uid ?? byUid;
    const strange = byHand.filter((entry) => !over.includes(entry) && entry.byAdmin === false && uidNow(entry) !== entry.byUid);
    await Promise.all([
      ...over.map((entry) => book.release(entry, "its time is over")),
      ...strange.map((entry) => book.release(entry, `it is no longer a process of ${entry.by}`)),
    ]);
  }

  close(): void {
    for (const timer of this.#ends) clearTimeout(timer);
  }

  /** Scans may be an hour apart; they find too what is over. */
  #endAfter(entry: Entry, ms: number): void {
    if (ms > longestTimerMs) return;
    const timer = setTimeout(() => void this.#parts.book.release(entry, "its time is over"), ms);
    timer.unref();
    this.#ends.add(timer);
    // However it ended: the timer must not tell of it again, nor be kept.
    void entry.target.ended.then(() => {
      clearTimeout(timer);
      this.#ends.delete(timer);
    });
  }

  /** A process that is to be part of a tree could keep out of it by being a target of its own first. */
  #requireNoTreeAbove(process: ProcessInfo): void {
    const { book, source } = this.#parts;
    const above = treeAbove(process, source.processes, (pid) => {
      const entry = book.entries.get(pid);
      return entry?.origin === "hand" ? undefined : entry;
    });
    if (above === undefined) return;
    const { pid } = process;
    throw new HobbleError("ERR_BUSY", `process ${pid} belongs to the tree of ${above.process.pid}, by ${above.by}`, { pid });
  }

  /** Whoever joins a pool takes his share of what the others in it have. */
  #requirePool(name: string, pid: number, { admin }: Caller): void {
    const settings = this.#parts.pools().get(name);
    if (settings === undefined) throw new HobbleError("EINVAL", `there is no pool ${JSON.stringify(name)}`, { pid });
    if (admin || settings.open === true) return;
    const advice = `open = true in [pool.${name}] opens it`;
    throw new HobbleError("EPERM", `the pool ${JSON.stringify(name)} is for the rules and the admins; ${advice}`, { pid });
  }

  #membersOf(entry: Entry): ProcessInfo[] {
    const members = [entry.process.pid, ...entry.target.members].map((pid) => this.#parts.source.processes.get(pid));
    return [...new Set(members)].filter((process) => process !== undefined);
  }
}

/** As the last scan saw it, or now. @throws HobbleError `ESRCH` */
export async function findProcess(source: ProcessSource, pid: number): Promise<ProcessInfo> {
  const known = source.processes.get(pid);
  if (known !== undefined) return known;
  const [process] = (await source.look?.([pid])) ?? [];
  const found = process ?? source.processes.get(pid);
  if (found === undefined) throw new HobbleError("ESRCH", `there is no process ${pid}, or it may not be seen`, { pid });
  return found;
}
