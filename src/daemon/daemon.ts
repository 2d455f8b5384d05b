/** The daemon: looks at what runs, decides, hobbles, and can say why. Without socket and command line: see src/control and src/cli. */
import { setImmediate as pause, setTimeout as sleep } from "node:timers/promises";
import { PidLists } from "../discovery/pid-lists.js";
import { ProcSource } from "../discovery/proc.js";
import { watchProcesses } from "../discovery/process-events.js";
import type { ProcessInfo } from "../discovery/process-info.js";
import { PsListSource } from "../discovery/ps-list.js";
import type { ProcessSource } from "../discovery/source.js";
import { HobbleError } from "../errors.js";
import { Hobbler } from "../hobbler.js";
import { ancestorsOf } from "../rules/conditions.js";
import { type Configuration, loadConfiguration, type Notifier } from "../rules/configuration.js";
import { type Decisions, RuleEngine, type Turn, type World } from "../rules/engine.js";
import type { Facts } from "../rules/facts.js";
import type { Amount, Pressures } from "../rules/rule.js";
import type { PoolSettings } from "../rules/schema.js";
import type { EngineHistograms } from "../stats.js";
import { bootId, epochOf, nowNs } from "./boot-clock.js";
import { ConfigurationWatch } from "./configuration-watch.js";
import { desiredTargets, type Want } from "./desired.js";
import { FreshProcesses } from "./fresh-processes.js";
import { Journal, type News } from "./journal.js";
import { type Notification, Notifications } from "./notifications.js";
import { Pools } from "./pools.js";
import { readPressures } from "./pressure.js";
import { QuotaKeeper } from "./quota-keeper.js";
import { reportOf } from "./reports.js";
import { RuleCounts } from "./rule-counts.js";
import { type SavedState, StateStore } from "./state-store.js";
import type {
  AddRequest,
  Caller,
  ConfigurationProblem,
  DaemonStats,
  Decision,
  Explanation,
  QuotaStanding,
  ReloadResult,
  Supervisor,
  TargetReport,
} from "./supervisor.js";
import { type Entry, TargetBook, who } from "./target-book.js";
import { addQuotaWants, type QuotaTerms, ruleWants } from "./wants.js";

export interface DaemonOptions {
  readonly configuration: Configuration;
  /** Where quotas and escalations are kept; null = nowhere. */
  readonly statePath: string | null;
  readonly version: string;
}

/** How long decisions may keep the event loop at a time. */
const goMs = 3;
const processesInOneGo = 64;
/** State is written at most this often while only figures change. */
const savedEveryMs = 10_000;
/** How long a scan that is under way is waited for at the end. */
const turnPatienceMs = 3000;
/** Of setTimeout: 2^31 - 1 ms, 25 days. Longer ones are ended by a scan. */
const longestTimerMs = 2 ** 31 - 1;
const fewTargets = 256;
/** A scan takes milliseconds. */
const slowMs = 30_000;

export class Daemon implements Supervisor {
  readonly #version: string;
  readonly #startedAt = Date.now();
  readonly #hobbler: Hobbler;
  readonly #source: ProcessSource;
  readonly #engine: RuleEngine;
  readonly #book: TargetBook;
  readonly #pools: Pools;
  readonly #journal = new Journal();
  readonly #counts = new RuleCounts();
  readonly #lists = new PidLists();
  readonly #quotas = new QuotaKeeper();
  readonly #notifications: Notifications;
  readonly #store: StateStore | undefined;
  readonly #watch: ConfigurationWatch | undefined;
  /** Processes that somebody took out of a quota's hands. */
  readonly #lifted = new WeakSet<ProcessInfo>();
  #configuration: Configuration;
  #loadedAt = Date.now();
  #off: { sinceAt: number; by: string } | null = null;
  #pressures: Pressures = {};
  #scans = 0;
  #scanCpuNs = 0;
  #decideCpuNs = 0;
  #lastScanAt: number | null = null;
  #savedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #unwatch: (() => void) | undefined;
  readonly #fresh = new FreshProcesses(async (take) => {
    try {
      await this.#inTurn(() => this.#judge(take()));
    } catch (error) {
      this.#warn(`judging new processes failed: ${(error as Error).message}`);
    }
  });
  readonly #warned = new Set<string>();
  readonly #ends = new Set<NodeJS.Timeout>();

  /** Resolves when the engine ends by itself, without a `close`: everything runs then, and nothing can be hobbled. */
  readonly engineClosed: Promise<void>;

  private constructor({ configuration, statePath, version }: DaemonOptions) {
    this.#version = version;
    this.#configuration = configuration;
    this.#hobbler = new Hobbler(configuration.engine);
    this.#source = configuration.daemon.source === "ps-list" ? new PsListSource() : new ProcSource(configuration.needs);
    this.#engine = new RuleEngine(configuration.ruleSet);
    this.#pools = new Pools(this.#hobbler);
    this.#quotas.replace(configuration.quotas);
    this.#lists.follow(configuration.lists);
    this.#store = statePath === null ? undefined : new StateStore(statePath);
    this.#watch = configuration.file === null ? undefined : new ConfigurationWatch(configuration.file);
    this.#notifications = new Notifications((message) => this.#warn(message));
    this.#book = new TargetBook(this.#hobbler, this.#journal, { moved: (moment, entry, news) => this.#moved(moment, entry, news) });
    this.engineClosed = new Promise((resolve) => {
      this.#hobbler.once("closed", () => this.#closing ?? resolve());
    });
    this.#hobbler.on("overload", ({ message }) => this.#warn(message));
    this.#hobbler.on("unguarded", ({ error }) => this.#warn(error.message));
    this.#journal.subscribe((decision) => this.#counts.count(decision));
  }

  /**
   * Starts, and has looked at everything once when it resolves.
   *
   * @throws HobbleError as `new Hobbler`
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    await daemon.#watch?.note();
    await daemon.#restore();
    daemon.#journal.add({ kind: "started", reason: `with ${count(daemon.#configuration)}` });
    await daemon.#inTurn(() => daemon.#scan());
    if (options.configuration.daemon.events === "auto") daemon.#watchProcesses();
    daemon.#again();
    return daemon;
  }

  targets(uid?: number): TargetReport[] {
    const entries = [...this.#book.entries.values()].filter(({ process }) => uid === undefined || process.uid === uid);
    entries.sort((a, b) => a.process.pid - b.process.pid);
    // Of a few it is cheaper to ask one by one: anybody may ask, again and again.
    if (uid !== undefined && entries.length < fewTargets) return entries.map((entry) => reportOf(entry, entry.target.stats()));
    const stats = new Map(this.#hobbler.targetStats().map((one) => [one.id, one]));
    return entries.map((entry) => reportOf(entry, stats.get(entry.target.id)));
  }

  handCount(uid: number): number {
    return [...this.#book.entries.values()].filter(({ origin, byUid }) => origin === "hand" && byUid === uid).length;
  }

  target(pid: number): TargetReport | undefined {
    const entry = this.#book.of(pid);
    return entry && reportOf(entry, entry.target.stats());
  }

  async explain(pid: number): Promise<Explanation> {
    const process = this.#source.processes.get(pid) ?? (await this.#find(pid));
    const world = this.#world();
    const facts = this.#factsOf(world);
    const entry = this.#book.of(pid);
    return {
      pid,
      name: process.name,
      uid: process.uid,
      user: process.user,
      target: entry === undefined ? null : reportOf(entry, entry.target.stats()),
      protected: this.#book.refusal(process)?.message ?? null,
      rules: this.#engine.explain(process, world, (ns) => epochOf(ns)),
      quotas: this.#quotas.standings(Date.now(), process, facts),
      history: this.#historyOf(process),
    };
  }

  quotas(uid?: number): QuotaStanding[] {
    const standings = this.#quotas.standings(Date.now());
    if (uid === undefined) return standings;
    const user = [...this.#source.processes.values()].find((process) => process.uid === uid)?.user;
    return standings.filter(({ per, key }) => per === "user" && (key === user || key === String(uid)));
  }

  async add({ pid, kind, startTime, inode, runNs, stopNs, limit, pool, forNs, reason }: AddRequest, caller: Caller): Promise<TargetReport> {
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the daemon ends", { pid });
    if (pool !== null) this.#requirePool(pool, pid, caller);
    const process = this.#source.processes.get(pid) ?? (await this.#find(pid));
    const seen = { startTime, inode };
    if (!caller.admin) this.#requireNoTreeAbove(process);
    const selector = kind === "tree" ? { tree: pid, ...seen } : kind === "group" ? { group: pid, ...seen } : { pid, ...seen };
    const amount: Amount = { run: runNs ?? undefined, stop: stopNs ?? undefined, limit: limit ?? undefined, pool: pool ?? undefined };
    const entry = await this.#book.addByHand(process, selector, amount, {
      by: caller.user,
      byUid: caller.uid,
      byAdmin: caller.admin,
      reason: reason ?? `${caller.user} asked for it`,
      untilAt: forNs === null ? null : Date.now() + forNs / 1e6,
    });
    if (forNs !== null) this.#endAfter(entry, forNs / 1e6);
    return reportOf(entry, entry.target.stats());
  }

  /** A process that is to be part of a tree could keep out of it by being a target of its own first. */
  #requireNoTreeAbove(process: ProcessInfo): void {
    for (const { pid } of ancestorsOf(process, this.#source.processes)) {
      const above = this.#book.entries.get(pid);
      if (above === undefined || above.kind !== "tree" || above.origin === "hand") continue;
      throw new HobbleError("ERR_BUSY", `process ${process.pid} belongs to the tree of ${pid}, by ${above.by}`, { pid: process.pid });
    }
  }

  /** Scans may be an hour apart; they find too what is over. */
  #endAfter(entry: Entry, ms: number): void {
    if (ms > longestTimerMs) return;
    const timer = setTimeout(() => {
      this.#ends.delete(timer);
      void this.#book.release(entry, "its time is over");
    }, ms);
    timer.unref();
    this.#ends.add(timer);
  }

  /** Whoever joins a pool takes his share of what the others in it have. */
  #requirePool(name: string, pid: number, { admin }: Caller): void {
    const settings = this.#configuration.pools.get(name);
    if (settings === undefined) throw new HobbleError("EINVAL", `there is no pool ${JSON.stringify(name)}`, { pid });
    if (admin || settings.open === true) return;
    throw new HobbleError(
      "EPERM",
      `the pool ${JSON.stringify(name)} is for the rules and the admins; open = true in [pool.${name}] opens it`,
      { pid },
    );
  }

  async remove(pid: number, caller: Caller): Promise<void> {
    const entry = this.#book.of(pid);
    if (entry === undefined) throw new HobbleError("ESRCH", `process ${pid} is not a target`, { pid });
    // Who lifts what he asked for himself is not let off by rules and quotas for that.
    const pardons = caller.admin || entry.origin !== "hand";
    for (const process of pardons ? this.#membersOf(entry) : []) {
      this.#engine.pardon(process, nowNs());
      this.#lifted.add(process);
    }
    await this.#book.release(entry, `${caller.user} lifted it`);
  }

  async off(by: string): Promise<void> {
    this.#hobbler.pause();
    if (this.#off !== null) return;
    this.#off = { sinceAt: Date.now(), by };
    this.#journal.add({ kind: "off", by, reason: "everything runs, and is left alone until it is switched on again" });
    await this.#save();
  }

  async on(by: string): Promise<void> {
    if (this.#off === null) return;
    this.#off = null;
    this.#hobbler.resume();
    this.#journal.add({ kind: "on", by, reason: "what the rules ask for is done again" });
    await this.#save();
  }

  reload(by: string): Promise<ReloadResult> {
    return this.#inTurn(() => this.#reload(by));
  }

  stats(): DaemonStats {
    const { figures } = this.#source;
    return {
      version: this.#version,
      pid: process.pid,
      startedAt: this.#startedAt,
      configuration: this.#configuration.file,
      loadedAt: this.#loadedAt,
      off: this.#off,
      rules: this.#counts.stats(this.#configuration, this.#book.entries.values()),
      scan: {
        source: this.#source.name,
        scans: this.#scans,
        processes: figures.processes,
        hidden: figures.hidden,
        scanCpuNs: this.#scanCpuNs,
        decideCpuNs: this.#decideCpuNs,
        lastScanAt: this.#lastScanAt,
      },
      decisions: this.#journal.counts,
      engine: this.#hobbler.stats(),
    };
  }

  histograms(): EngineHistograms {
    return this.#hobbler.histograms();
  }

  decisions(): readonly Decision[] {
    return this.#journal.decisions;
  }

  subscribe(listener: (decision: Decision) => void): () => void {
    return this.#journal.subscribe(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#unwatch?.();
    // Everything runs first; a scan that is under way may end after that. One that hangs, in a name service say, is not waited for.
    await this.#hobbler.close();
    this.#notifications.close();
    for (const timer of this.#ends) clearTimeout(timer);
    await Promise.race([this.#turn, sleep(turnPatienceMs, undefined, { ref: false })]);
    await this.#save();
    this.#journal.add({ kind: "stopped", reason: "everything runs" });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** The next scan; at a fixed rate, as far as scans are faster than it. */
  #again(startedMs = performance.now()): void {
    if (this.#closing !== undefined) return;
    const waitMs = this.#configuration.daemon.scanNs / 1e6 - (performance.now() - startedMs);
    this.#timer = setTimeout(() => void this.#cycle(), Math.max(waitMs, 10));
  }

  async #cycle(): Promise<void> {
    const startedMs = performance.now();
    const slow = setTimeout(() => {
      this.#warn(
        `a scan has not ended for ${slowMs / 1000} s, and nothing is decided meanwhile: does a name service or a file in /proc hang?`,
      );
    }, slowMs);
    try {
      if (this.#configuration.daemon.watchFile && (await this.#watch?.changed())) await this.reload("file");
      await this.#inTurn(() => this.#scan());
    } catch (error) {
      this.#warn(`scanning failed: ${(error as Error).message}`);
    }
    clearTimeout(slow);
    this.#again(startedMs);
  }

  async #scan(): Promise<void> {
    if (this.#closing !== undefined) return;
    const { ruleSet, lists } = this.#configuration;
    if (ruleSet.rules.some(({ when }) => when !== undefined)) this.#pressures = await readPressures();
    // The lists first: who is listed was running by then, and is found by the scan.
    if (lists.length > 0)
      for (const [path, problem] of await this.#lists.read())
        this.#journal.add({ kind: "warning", reason: problem ?? `${path} can be read again` });
    await this.#source.list();
    this.#scanCpuNs = this.#source.figures.cpuNs;
    this.#tellOnceOfHidden();
    this.#book.measure(performance.now());
    const world = this.#world();
    const cpuBefore = process.cpuUsage();
    const decisions = await this.#decide(world);
    const pools = new Map(this.#configuration.pools);
    const wants = this.#wants(world, decisions, pools);
    const spent = process.cpuUsage(cpuBefore);
    this.#decideCpuNs = (spent.user + spent.system) * 1e3;
    this.#tellOfWatched(decisions.turns);
    this.#scans++;
    this.#lastScanAt = Date.now();
    if (this.#off === null && this.#closing === undefined) {
      this.#pools.keep(pools);
      await this.#book.reconcile(desiredTargets(wants, world.processes), reasonsOf(decisions.turns), world.processes);
      await this.#endWhatIsOver();
    }
    if (decisions.turns.length > 0 || Date.now() - this.#savedAt > savedEveryMs) await this.#save();
  }

  #watchProcesses(): void {
    if (this.#source.look === undefined) return;
    const watch = watchProcesses((pids) => {
      if (this.#judgesNew()) this.#fresh.add(pids);
    });
    if ("problem" in watch) this.#warn(`new processes are judged with the next scan only: process events cannot be had (${watch.problem})`);
    else this.#unwatch = watch.stop;
  }

  #judgesNew(): boolean {
    return this.#closing === undefined && this.#off === null && (this.#configuration.ruleSet.rules.length > 0 || !this.#quotas.empty);
  }

  async #judge(pids: readonly number[]): Promise<void> {
    if (!this.#judgesNew()) return;
    const found = await this.#fresh.looking(async () => (await this.#source.look?.(pids)) ?? []);
    const world = this.#world();
    const decisions = this.#engine.decide(found, world);
    this.#tellOfWatched(decisions.turns);
    const pools = new Map(this.#configuration.pools);
    const wants = ruleWants(decisions);
    if (!this.#quotas.empty) addQuotaWants(found, this.#quotaTerms(world), wants, pools);
    if (wants.size === 0) return;
    this.#pools.add(pools);
    this.#book.addNew(desiredTargets(wants, world.processes));
  }

  async #decide(world: World): Promise<Decisions> {
    const decisions: Decisions = { wanted: new Map(), turns: [] };
    const processes = [...world.processes.values()];
    let goneOnMs = performance.now();
    for (let at = 0; at < processes.length; at += processesInOneGo) {
      this.#engine.decide(processes.slice(at, at + processesInOneGo), world, decisions);
      if (performance.now() - goneOnMs < goMs) continue;
      await pause();
      goneOnMs = performance.now();
    }
    return decisions;
  }

  #wants(world: World, decisions: Decisions, pools: Map<string, PoolSettings>): Map<number, Want> {
    const wants = ruleWants(decisions);
    if (this.#quotas.empty) return wants;
    for (const { quota, key, from, to, usedCpuSeconds } of this.#quotas.scan(world.processes, this.#factsOf(world), Date.now())) {
      if (quota.mode !== "watch") continue;
      const reason = `${key} has used ${Math.round(usedCpuSeconds)} of ${quota.cpuSeconds} CPU seconds: tier ${from} to ${to}`;
      this.#journal.add({ kind: "watched", user: key, origin: "quota", by: quota.name, reason });
    }
    addQuotaWants(world.processes.values(), this.#quotaTerms(world), wants, pools);
    return wants;
  }

  #quotaTerms(world: World): QuotaTerms {
    return { quotas: this.#quotas, facts: this.#factsOf(world), lifted: this.#lifted, nowMs: Date.now() };
  }

  #world(): World {
    const { processes } = this.#source;
    return {
      nowNs: nowNs(),
      processes,
      lists: this.#lists.members(processes),
      pressures: this.#pressures,
      throttled: (process) => this.#book.of(process.pid)?.throttled,
    };
  }

  #factsOf({ nowNs, processes, lists }: World): Facts {
    return { nowNs, processes, list: (path) => lists.get(path), cpuShare: () => undefined };
  }

  async #find(pid: number): Promise<ProcessInfo> {
    const [process] = (await this.#source.look?.([pid])) ?? [];
    const found = process ?? this.#source.processes.get(pid);
    if (found === undefined) throw new HobbleError("ESRCH", `there is no process ${pid}, or it may not be seen`, { pid });
    return found;
  }

  #membersOf(entry: Entry): ProcessInfo[] {
    const members = [entry.process.pid, ...entry.target.members].map((pid) => this.#source.processes.get(pid));
    return [...new Set(members)].filter((process) => process !== undefined);
  }

  #historyOf({ pid, startTime }: ProcessInfo): Decision[] {
    // The PID may have been another's before.
    const bornAt = epochOf(startTime * 1e7) - 1000;
    return this.#journal.decisions.filter((decision) => decision.pid === pid && decision.at >= bornAt);
  }

  async #endWhatIsOver(): Promise<void> {
    const byHand = [...this.#book.entries.values()].filter(({ origin, leaving }) => origin === "hand" && leaving === undefined);
    const over = byHand.filter(({ untilAt }) => untilAt !== null && untilAt <= Date.now());
    // It has become another user's, by a program with the setuid bit: whoever asked could not have asked for that.
    const strange = byHand.filter((entry) => !over.includes(entry) && entry.byAdmin === false && this.#uidOf(entry) !== entry.byUid);
    await Promise.all([
      ...over.map((entry) => this.#book.release(entry, "its time is over")),
      ...strange.map((entry) => this.#book.release(entry, `it is no longer a process of ${entry.by}`)),
    ]);
  }

  /** As the last scan saw it. */
  #uidOf({ process, byUid }: Entry): number | null {
    return this.#source.processes.get(process.pid)?.uid ?? byUid;
  }

  #tellOfWatched(turns: readonly Turn[]): void {
    for (const { process, rule, kind, reason } of turns) {
      if (rule.mode !== "watch" || kind !== "entered") continue;
      this.#journal.add({ kind: "watched", ...who(process), origin: "rule", by: rule.name, reason: `it would be hobbled: ${reason}` });
    }
  }

  #moved(moment: Notification["moment"], entry: Entry, news: News): void {
    const notifier: Notifier | undefined = entry.notify === undefined ? undefined : this.#configuration.notifiers.get(entry.notify);
    if (notifier !== undefined) this.#notifications.tell(notifier, { moment, decision: news as Decision }, Date.now());
  }

  #tellOnceOfHidden(): void {
    const { hidden, unreadable } = this.#source.figures;
    const seesOthers = this.#source.processes.has(1);
    if (!seesOthers)
      this.#warnOnce("hidden", "processes of other users are hidden from us (hidepid): only those that may be seen are judged");
    else if (hidden > 0) this.#warnOnce("hidden", `${hidden} processes may not be looked at: they are left alone`);
    if (unreadable > 0 && process.getuid?.() !== 0)
      this.#warnOnce(
        "unreadable",
        `${unreadable} facts (executables of other users, say) may not be read: conditions on them do not match`,
      );
  }

  #warn(reason: string): void {
    this.#journal.add({ kind: "warning", reason });
  }

  #warnOnce(key: string, reason: string): void {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#warn(reason);
  }

  async #reload(by: string): Promise<ReloadResult> {
    const { file, ruleSet, quotas } = this.#configuration;
    const unchanged = { rules: ruleSet.rules.length, quotas: quotas.length };
    if (file === null)
      return { applied: false, problems: [{ file: "", line: null, column: null, message: "there is no file" }], ...unchanged };
    // Before it is read: what changes meanwhile is seen with the next look.
    await this.#watch?.note();
    const { configuration, problems } = await loadConfiguration(file);
    if (configuration === undefined) {
      this.#journal.add({
        kind: "warning",
        by,
        reason: `the old configuration stays in force: ${problems.map(formatProblem).join("; ").slice(0, 2000)}`,
      });
      return { applied: false, problems, ...unchanged };
    }
    this.#apply(configuration);
    this.#journal.add({ kind: "reloaded", by, reason: `with ${count(configuration)}` });
    void this.#cycleNow();
    return { applied: true, problems: [], rules: configuration.ruleSet.rules.length, quotas: configuration.quotas.length };
  }

  /** Its effect is seen at once, not with the next scan. */
  #cycleNow(): void {
    void this.#inTurn(() => this.#scan()).catch((error: Error) => this.#warn(`scanning failed: ${error.message}`));
  }

  #apply(configuration: Configuration): void {
    const before = this.#configuration;
    const { daemon, engine, ruleSet, quotas, lists, needs } = configuration;
    this.#configuration = configuration;
    this.#loadedAt = Date.now();
    this.#engine.replace(ruleSet, this.#source.processes.values(), nowNs());
    this.#quotas.replace(quotas);
    this.#lists.follow(lists);
    if (this.#source instanceof ProcSource && !sameSet(needs, before.needs)) this.#source.read(needs);
    const late = (["socket", "source", "events", "state", "adminGroup", "metrics"] as const).filter(
      (key) => daemon[key] !== before.daemon[key],
    );
    if (JSON.stringify(engine) !== JSON.stringify(before.engine)) this.#warn("changes in [engine] take effect with the next start");
    if (late.length > 0) this.#warn(`changes of ${late.join(", ")} in [daemon] take effect with the next start`);
  }

  async #restore(): Promise<void> {
    if (this.#store === undefined) return;
    try {
      const state = await this.#store.load();
      if (state === undefined) return;
      const sameBoot = state.bootId === (await bootId());
      this.#quotas.restore(state.quotas, sameBoot ? state.counted : []);
      this.#notifications.restore(state.notified);
      if (sameBoot) this.#engine.restore(state.forces);
      if (state.off !== null) {
        this.#off = state.off;
        this.#hobbler.pause();
        this.#warn(`everything has been off since ${new Date(state.off.sinceAt).toISOString()}, by ${state.off.by}`);
      }
    } catch (error) {
      this.#warn((error as Error).message);
    }
  }

  async #save(): Promise<void> {
    if (this.#store === undefined) return;
    this.#savedAt = Date.now();
    const state: SavedState = {
      version: 1,
      bootId: await bootId(),
      ...this.#quotas.state(),
      forces: this.#engine.forces(this.#source.processes.values()),
      notified: this.#notifications.state(Date.now()),
      off: this.#off,
    };
    try {
      await this.#store.save(state);
      this.#warned.delete("state");
    } catch (error) {
      this.#warnOnce(
        "state",
        `quotas cannot be saved, nor whether everything is off: both would be lost with a restart: ${(error as Error).message}`,
      );
    }
  }
}

function count({ ruleSet, quotas }: Configuration): string {
  const number = (amount: number, noun: string) => `${amount} ${noun}${amount === 1 ? "" : "s"}`;
  return `${number(ruleSet.rules.length, "rule")} and ${number(quotas.length, "quota")}`;
}

function formatProblem({ file, line, column, message }: ConfigurationProblem): string {
  return `${file}${line === null ? "" : `:${line}:${column}`}: ${message}`;
}

function reasonsOf(turns: readonly Turn[]): Map<number, string> {
  return new Map(turns.filter(({ kind }) => kind === "left").map(({ process, reason }) => [process.pid, reason]));
}

function sameSet<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}
