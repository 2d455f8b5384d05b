/** The daemon: looks at what runs, decides, hobbles, and can say why. Without socket and command line: see src/control and src/cli. */
import { setTimeout as sleep } from "node:timers/promises";
import { PidLists } from "../discovery/pid-lists.js";
import { ProcSource } from "../discovery/proc.js";
import { watchProcesses } from "../discovery/process-events.js";
import type { ProcessInfo } from "../discovery/process-info.js";
import { PsListSource } from "../discovery/ps-list.js";
import type { ProcessSource } from "../discovery/source.js";
import { HobbleError } from "../errors.js";
import { Hobbler } from "../hobbler.js";
import { type Configuration, loadConfiguration, type Notifier } from "../rules/configuration.js";
import { RuleEngine, type Turn } from "../rules/engine.js";
import type { EngineHistograms } from "../stats.js";
import { epochOf, nowNs } from "./boot-clock.js";
import { ByHand, findProcess } from "./by-hand.js";
import { ConfigurationWatch } from "./configuration-watch.js";
import { Deciding } from "./deciding.js";
import { desiredTargets } from "./desired.js";
import { FreshProcesses } from "./fresh-processes.js";
import { Journal, type News } from "./journal.js";
import { Memory } from "./memory.js";
import { type Notification, Notifications } from "./notifications.js";
import { Pools } from "./pools.js";
import { QuotaKeeper } from "./quota-keeper.js";
import { reportOf } from "./reports.js";
import { RuleCounts } from "./rule-counts.js";
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
import { type Entry, TargetBook } from "./target-book.js";
import { Warnings } from "./warnings.js";

export interface DaemonOptions {
  readonly configuration: Configuration;
  /** Where quotas and escalations are kept; null = nowhere. */
  readonly statePath: string | null;
  readonly version: string;
}

/** How long a scan that is under way is waited for at the end. */
const turnPatienceMs = 3000;
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
  readonly #warnings = new Warnings(this.#journal);
  readonly #counts = new RuleCounts();
  readonly #lists = new PidLists();
  readonly #quotas = new QuotaKeeper();
  readonly #notifications: Notifications;
  readonly #memory: Memory;
  readonly #byHand: ByHand;
  readonly #deciding: Deciding;
  readonly #watch: ConfigurationWatch | undefined;
  #configuration: Configuration;
  #loadedAt = Date.now();
  #scans = 0;
  #scanCpuNs = 0;
  #lastScanAt: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #unwatch: (() => void) | undefined;
  readonly #fresh = new FreshProcesses(async (take) => {
    try {
      await this.#inTurn(() => this.#judge(take()));
    } catch (error) {
      this.#warnings.tell(`judging new processes failed: ${(error as Error).message}`);
    }
  });

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
    this.#watch = configuration.file === null ? undefined : new ConfigurationWatch(configuration.file);
    this.#notifications = new Notifications((message) => this.#warnings.tell(message));
    this.#book = new TargetBook(this.#hobbler, this.#journal, { moved: (moment, entry, news) => this.#moved(moment, entry, news) });
    const [source, engine, book, quotas] = [this.#source, this.#engine, this.#book, this.#quotas];
    this.#byHand = new ByHand({ book, source, engine, pools: () => this.#configuration.pools });
    const [lists, journal, { lifted }] = [this.#lists, this.#journal, this.#byHand];
    this.#deciding = new Deciding({ source, lists, engine, quotas, book, journal, lifted });
    this.#memory = new Memory(statePath, { quotas, engine, source, notifications: this.#notifications, warnings: this.#warnings });
    this.engineClosed = new Promise((resolve) => {
      this.#hobbler.once("closed", () => this.#closing ?? resolve());
    });
    this.#hobbler.on("overload", ({ message }) => this.#warnings.tell(message));
    this.#hobbler.on("unguarded", ({ error }) => this.#warnings.tell(error.message));
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
    return this.#byHand.count(uid);
  }

  target(pid: number): TargetReport | undefined {
    const entry = this.#book.of(pid);
    return entry && reportOf(entry, entry.target.stats());
  }

  async explain(pid: number): Promise<Explanation> {
    const process = await findProcess(this.#source, pid);
    const entry = this.#book.of(pid);
    return {
      pid,
      name: process.name,
      uid: process.uid,
      user: process.user,
      target: entry === undefined ? null : reportOf(entry, entry.target.stats()),
      protected: this.#book.refusal(process)?.message ?? null,
      ...this.#deciding.explain(process),
      history: this.#historyOf(process),
    };
  }

  quotas(uid?: number): QuotaStanding[] {
    const standings = this.#quotas.standings(Date.now());
    if (uid === undefined) return standings;
    const user = [...this.#source.processes.values()].find((process) => process.uid === uid)?.user;
    return standings.filter(({ per, key }) => per === "user" && (key === user || key === String(uid)));
  }

  async add(request: AddRequest, caller: Caller): Promise<TargetReport> {
    if (this.#closing !== undefined) throw new HobbleError("ERR_CLOSED", "the daemon ends", { pid: request.pid });
    const entry = await this.#byHand.add(request, caller);
    return reportOf(entry, entry.target.stats());
  }

  remove(pid: number, caller: Caller): Promise<void> {
    return this.#byHand.remove(pid, caller);
  }

  async off(by: string): Promise<void> {
    this.#hobbler.pause();
    if (this.#memory.off !== null) return;
    this.#memory.off = { sinceAt: Date.now(), by };
    this.#journal.add({ kind: "off", by, reason: "everything runs, and is left alone until it is switched on again" });
    await this.#memory.save();
  }

  async on(by: string): Promise<void> {
    if (this.#memory.off === null) return;
    this.#memory.off = null;
    this.#hobbler.resume();
    this.#journal.add({ kind: "on", by, reason: "what the rules ask for is done again" });
    await this.#memory.save();
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
      off: this.#memory.off,
      rules: this.#counts.stats(this.#configuration, this.#book.entries.values()),
      scan: {
        source: this.#source.name,
        scans: this.#scans,
        processes: figures.processes,
        hidden: figures.hidden,
        scanCpuNs: this.#scanCpuNs,
        decideCpuNs: this.#deciding.cpuNs,
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
    this.#byHand.close();
    await Promise.race([this.#turn, sleep(turnPatienceMs, undefined, { ref: false })]);
    await this.#memory.save();
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
      this.#warnings.tell(
        `a scan has not ended for ${slowMs / 1000} s, and nothing is decided meanwhile: does a name service or a file in /proc hang?`,
      );
    }, slowMs);
    try {
      if (this.#configuration.daemon.watchFile && (await this.#watch?.changed())) await this.reload("file");
      await this.#inTurn(() => this.#scan());
    } catch (error) {
      this.#warnings.tell(`scanning failed: ${(error as Error).message}`);
    }
    clearTimeout(slow);
    this.#again(startedMs);
  }

  async #scan(): Promise<void> {
    if (this.#closing !== undefined) return;
    await this.#deciding.look(this.#configuration);
    this.#scanCpuNs = this.#source.figures.cpuNs;
    this.#tellOnceOfHidden();
    this.#book.measure(performance.now());
    const { wants, pools, turns } = await this.#deciding.decide(this.#configuration);
    this.#scans++;
    this.#lastScanAt = Date.now();
    if (this.#memory.off === null && this.#closing === undefined) {
      const { processes } = this.#source;
      this.#pools.keep(pools);
      await this.#book.reconcile(desiredTargets(wants, processes), reasonsOf(turns), processes);
      await this.#byHand.endWhatIsOver();
    }
    if (turns.length > 0 || this.#memory.isOld) await this.#memory.save();
  }

  #watchProcesses(): void {
    if (this.#source.look === undefined) return;
    const watch = watchProcesses((pids) => {
      if (this.#judgesNew()) this.#fresh.add(pids);
    });
    if ("problem" in watch)
      this.#warnings.tell(`new processes are judged with the next scan only: process events cannot be had (${watch.problem})`);
    else this.#unwatch = watch.stop;
  }

  #judgesNew(): boolean {
    return (
      this.#closing === undefined && this.#memory.off === null && (this.#configuration.ruleSet.rules.length > 0 || !this.#quotas.empty)
    );
  }

  async #judge(pids: readonly number[]): Promise<void> {
    if (!this.#judgesNew()) return;
    const found = await this.#fresh.looking(async () => (await this.#source.look?.(pids)) ?? []);
    const { wants, pools } = this.#deciding.decideOn(found, this.#configuration);
    if (wants.size === 0) return;
    this.#pools.add(pools);
    this.#book.addNew(desiredTargets(wants, this.#source.processes));
  }

  #historyOf({ pid, startTime }: ProcessInfo): Decision[] {
    // The PID may have been another's before.
    const bornAt = epochOf(startTime * 1e7) - 1000;
    return this.#journal.decisions.filter((decision) => decision.pid === pid && decision.at >= bornAt);
  }

  async #restore(): Promise<void> {
    await this.#memory.restore();
    const { off } = this.#memory;
    if (off === null) return;
    this.#hobbler.pause();
    this.#warnings.tell(`everything has been off since ${new Date(off.sinceAt).toISOString()}, by ${off.by}`);
  }

  #moved(moment: Notification["moment"], entry: Entry, news: News): void {
    const notifier: Notifier | undefined = entry.notify === undefined ? undefined : this.#configuration.notifiers.get(entry.notify);
    if (notifier !== undefined) this.#notifications.tell(notifier, { moment, decision: news as Decision }, Date.now());
  }

  #tellOnceOfHidden(): void {
    const { hidden, unreadable } = this.#source.figures;
    const seesOthers = this.#source.processes.has(1);
    if (!seesOthers)
      this.#warnings.once("hidden", "processes of other users are hidden from us (hidepid): only those that may be seen are judged");
    else if (hidden > 0) this.#warnings.once("hidden", `${hidden} processes may not be looked at: they are left alone`);
    if (unreadable > 0 && process.getuid?.() !== 0)
      this.#warnings.once(
        "unreadable",
        `${unreadable} facts (executables of other users, say) may not be read: conditions on them do not match`,
      );
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
    void this.#inTurn(() => this.#scan()).catch((error: Error) => this.#warnings.tell(`scanning failed: ${error.message}`));
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
    if (JSON.stringify(engine) !== JSON.stringify(before.engine))
      this.#warnings.tell("changes in [engine] take effect with the next start");
    if (late.length > 0) this.#warnings.tell(`changes of ${late.join(", ")} in [daemon] take effect with the next start`);
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
