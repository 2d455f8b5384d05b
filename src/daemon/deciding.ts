/** What the rules and quotas want of the processes that are there. Decides only: nothing is hobbled here. */
import { setImmediate as pause } from "node:timers/promises";
import type { PidLists } from "../discovery/pid-lists.js";
import type { ProcessInfo } from "../discovery/process-info.js";
import type { ProcessSource } from "../discovery/source.js";
import type { Configuration } from "../rules/configuration.js";
import type { Decisions, RuleEngine, Turn, World } from "../rules/engine.js";
import type { Facts } from "../rules/facts.js";
import type { Pressures } from "../rules/rule.js";
import type { PoolSettings } from "../rules/schema.js";
import { epochOf, nowNs } from "./boot-clock.js";
import type { Want } from "./desired.js";
import type { Journal } from "./journal.js";
import { readPressures } from "./pressure.js";
import type { QuotaKeeper } from "./quota-keeper.js";
import type { Explanation } from "./supervisor.js";
import { type TargetBook, who } from "./target-book.js";
import { addQuotaWants, type QuotaTerms, ruleWants } from "./wants.js";

/** How long decisions may keep the event loop at a time. */
const goMs = 3;
const processesInOneGo = 64;

interface Parts {
  readonly source: ProcessSource;
  readonly lists: PidLists;
  readonly engine: RuleEngine;
  readonly quotas: QuotaKeeper;
  readonly book: TargetBook;
  readonly journal: Journal;
  /** Processes that somebody took out of a quota's hands. */
  readonly lifted: WeakSet<ProcessInfo>;
}

export interface Decided extends Decisions {
  readonly wants: Map<number, Want>;
  /** Those of the configuration, and those that quotas need. */
  readonly pools: Map<string, PoolSettings>;
}

export class Deciding {
  readonly #parts: Parts;
  #pressures: Pressures = {};
  /** CPU time of the last whole decision, of all threads, ns. */
  cpuNs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads everything that decisions are made of. */
  async look({ ruleSet, lists }: Configuration): Promise<void> {
    const { source, journal, lists: files } = this.#parts;
    if (ruleSet.rules.some(({ when }) => when !== undefined)) this.#pressures = await readPressures();
    // The lists first: who is listed was running by then, and is found by the scan.
    const news = lists.length > 0 ? await files.read() : [];
    for (const [path, problem] of news) journal.add({ kind: "warning", reason: problem ?? `${path} can be read again` });
    await source.list();
  }

  /** About all processes. */
  async decide(configuration: Configuration): Promise<Decided> {
    const { quotas, journal } = this.#parts;
    const world = this.#world();
    const before = process.cpuUsage();
    const decisions = await this.#askRules(world);
    for (const { quota, key, from, to, usedCpuSeconds } of quotas.empty ? [] : quotas.scan(world.processes, factsOf(world), Date.now())) {
      if (quota.mode !== "watch") continue;
      const reason = `${key} has used ${Math.round(usedCpuSeconds)} of ${quota.cpuSeconds} CPU seconds: tier ${from} to ${to}`;
      journal.add({ kind: "watched", user: key, origin: "quota", by: quota.name, reason });
    }
    const decided = this.#decided(decisions, world.processes.values(), world, configuration);
    const spent = process.cpuUsage(before);
    this.cpuNs = (spent.user + spent.system) * 1e3;
    return decided;
  }

  /** About some that have just started. */
  decideOn(found: readonly ProcessInfo[], configuration: Configuration): Decided {
    const world = this.#world();
    return this.#decided(this.#parts.engine.decide(found, world), found, world, configuration);
  }

  #decided(decisions: Decisions, about: Iterable<ProcessInfo>, world: World, configuration: Configuration): Decided {
    const pools = new Map(configuration.pools);
    const wants = ruleWants(decisions);
    if (!this.#parts.quotas.empty) addQuotaWants(about, this.#quotaTerms(world), wants, pools);
    this.#tellOfWatched(decisions.turns);
    return { ...decisions, wants, pools };
  }

  explain(process: ProcessInfo): Pick<Explanation, "rules" | "quotas"> {
    const { engine, quotas } = this.#parts;
    const world = this.#world();
    return {
      rules: engine.explain(process, world, (ns) => epochOf(ns)),
      quotas: quotas.standings(Date.now(), process, factsOf(world)),
    };
  }

  /** Of thousands it takes some tens of milliseconds: the event loop goes on in between. */
  async #askRules(world: World): Promise<Decisions> {
    const decisions: Decisions = { wanted: new Map(), turns: [] };
    const processes = [...world.processes.values()];
    let goneOnMs = performance.now();
    for (let at = 0; at < processes.length; at += processesInOneGo) {
      this.#parts.engine.decide(processes.slice(at, at + processesInOneGo), world, decisions);
      if (performance.now() - goneOnMs < goMs) continue;
      await pause();
      goneOnMs = performance.now();
    }
    return decisions;
  }

  #quotaTerms(world: World): QuotaTerms {
    const { quotas, lifted } = this.#parts;
    return { quotas, facts: factsOf(world), lifted, nowMs: Date.now() };
  }

  #world(): World {
    const { source, lists, book } = this.#parts;
    const { processes } = source;
    return {
      nowNs: nowNs(),
      processes,
      lists: lists.members(processes),
      pressures: this.#pressures,
      throttled: (process) => book.of(process.pid)?.throttled,
    };
  }

  #tellOfWatched(turns: readonly Turn[]): void {
    for (const { process, rule, kind, reason } of turns) {
      if (rule.mode !== "watch" || kind !== "entered") continue;
      const would = `it would be hobbled: ${reason}`;
      this.#parts.journal.add({ kind: "watched", ...who(process), origin: "rule", by: rule.name, reason: would });
    }
  }
}

function factsOf({ nowNs, processes, lists }: World): Facts {
  return { nowNs, processes, list: (path) => lists.get(path), cpuShare: () => undefined };
}
