/**
 * Decides what is to be done to each process: rules in, verdicts out. Pure: processes, time, pressure and what hobbling does to them are given.
 *
 * A rule is first tried by its fixed conditions (who the process is), once for each version of the process; only the few rules that pass are looked at
 * again and again. 500 rules and 5,000 processes take 30 ms the first time, and 2 ms in a later scan.
 */

import type { RuleTrial } from "../daemon/supervisor.js";
import type { ProcessInfo } from "../discovery/process-info.js";
import { CpuHistory } from "./cpu-history.js";
import type { Facts } from "./facts.js";
import { type Amount, type Pressures, type Rule, severity } from "./rule.js";
import { RuleIndex } from "./rule-index.js";
import { type Throttled, Trial } from "./trial.js";
import { formatLong } from "./units.js";

export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly combine: "first" | "strictest";
  readonly pools: ReadonlyMap<string, { readonly limit: number }>;
  /** The longest time over which a share of CPU is looked at, ns; undefined where no rule asks. */
  readonly cpuOverNs: number | undefined;
}

/** What a rule wants done to a process. */
export interface Verdict {
  readonly rule: Rule;
  readonly amount: Amount;
  readonly tier: number;
  readonly sinceNs: number;
  readonly reason: string;
}

/** What has changed in this scan. */
export interface Turn {
  readonly process: ProcessInfo;
  readonly rule: Rule;
  readonly kind: "entered" | "escalated" | "left";
  readonly reason: string;
}

export interface Decisions {
  /** For each process that is to be hobbled. */
  readonly wanted: Map<ProcessInfo, Verdict>;
  readonly turns: Turn[];
}

/** What the world is like at the moment of a decision. */
export interface World {
  /** Time after boot, ns. */
  readonly nowNs: number;
  readonly processes: ReadonlyMap<number, ProcessInfo>;
  readonly lists: ReadonlyMap<string, ReadonlySet<number>>;
  readonly pressures: Pressures;
  throttled(process: ProcessInfo): Throttled;
}

/** A rule that took hold before a restart. */
export interface RestoredForce {
  readonly pid: number;
  readonly startTime: number;
  readonly rule: string;
  readonly sinceNs: number;
  readonly reason: string;
}

class Standing {
  version = -1;
  trials: Trial[] = [];
  history: CpuHistory | undefined;
  seenNs: number;

  constructor(seenNs: number) {
    this.seenNs = seenNs;
  }
}

export class RuleEngine {
  #set: RuleSet;
  #standings = new WeakMap<ProcessInfo, Standing>();
  /** Which rules others have to wait for; with hysteresis: until the pressure has fallen to half. */
  readonly #pressed = new Set<Rule>();
  #restored = new Map<string, RestoredForce>();
  #index: RuleIndex;

  constructor(set: RuleSet) {
    this.#set = set;
    this.#index = new RuleIndex(set.rules);
  }

  /** Takes other rules. What a rule of the same name has taken hold of stays held, if it still matches. */
  replace(set: RuleSet, processes: Iterable<ProcessInfo>, nowNs: number): void {
    const byName = new Map(set.rules.map((rule) => [rule.name, rule]));
    for (const process of processes) {
      const standing = this.#standings.get(process);
      if (standing === undefined) continue;
      standing.trials = standing.trials.flatMap((before) => {
        const rule = byName.get(before.rule.name);
        if (rule === undefined) return [];
        const trial = new Trial(rule, nowNs);
        const sameMode = rule.mode === before.rule.mode;
        if (sameMode)
          Object.assign(trial, { sinceNs: before.sinceNs, failed: before.failed, force: before.force, pardoned: before.pardoned });
        return [trial];
      });
      standing.version = -1;
    }
    this.#set = set;
    this.#pressed.clear();
    this.#index = new RuleIndex(set.rules);
  }

  /** After a restart: these take hold again with the first scan, without waiting for `for`, if they still match. */
  restore(forces: readonly RestoredForce[]): void {
    this.#restored = new Map(forces.map((force) => [`${force.pid} ${force.startTime} ${force.rule}`, force]));
  }

  /** What is in force, for the next start. */
  forces(processes: Iterable<ProcessInfo>): RestoredForce[] {
    const forces: RestoredForce[] = [];
    for (const process of processes) {
      for (const { rule, force } of this.#standings.get(process)?.trials ?? []) {
        if (force === undefined || rule.mode === "watch") continue;
        const { pid, startTime } = process;
        forces.push({ pid, startTime, rule: rule.name, sinceNs: force.sinceNs, reason: force.reason });
      }
    }
    return forces;
  }

  /** Lifted by hand. */
  pardon(process: ProcessInfo, nowNs: number): void {
    for (const trial of this.#standings.get(process)?.trials ?? []) {
      if (!trial.holds && trial.force === undefined) continue;
      trial.leave(nowNs);
      trial.pardoned = true;
    }
  }

  /** Decides on some or all processes. Several calls may share one scan: the event loop can be let go on between them. */
  decide(processes: Iterable<ProcessInfo>, world: World, decisions: Decisions = { wanted: new Map(), turns: [] }): Decisions {
    this.#press(world.pressures);
    const facts = this.#facts(world);
    for (const process of processes) {
      if (process.state === "Z" || process.state === "X") continue;
      this.#decideOne(process, facts, world, decisions);
    }
    return decisions;
  }

  /** What became of each rule for a process. */
  explain(process: ProcessInfo, world: World, epochOf: (ns: number) => number): RuleTrial[] {
    const facts = this.#facts(world);
    const standing = this.#standings.get(process) ?? new Standing(world.nowNs);
    const trials = new Map(standing.trials.map((trial) => [trial.rule, trial]));
    let decided = false;
    return this.#set.rules.map((rule) => {
      const trial = trials.get(rule);
      const { name, mode } = rule;
      if (trial === undefined) {
        const failed = rule.condition.failure(process, facts, false);
        const condition = failed === undefined ? null : `${failed.text}: ${failed.found(process, facts)}`;
        return { rule: name, mode, outcome: "failed", condition, sinceAt: epochOf(standing.seenNs) };
      }
      const sinceAt = epochOf(trial.force?.sinceNs ?? trial.sinceNs);
      if (trial.failed !== undefined) {
        return { rule: name, mode, outcome: "failed", condition: `${trial.failed.text}: ${trial.failed.found(process, facts)}`, sinceAt };
      }
      if (trial.force !== undefined && !decided) {
        if (mode === "hobble") decided = this.#set.combine === "first";
        return { rule: name, mode, outcome: "applies", condition: null, sinceAt };
      }
      if (decided) return { rule: name, mode, outcome: "shadowed", condition: null, sinceAt };
      return { rule: name, mode, outcome: "waiting", condition: this.#waitsFor(trial, world.nowNs), sinceAt };
    });
  }

  #waitsFor(trial: Trial, nowNs: number): string {
    const { rule } = trial;
    if (trial.pardoned) return "it was lifted by hand, until it does not match for once";
    const leftNs = rule.forNs - (nowNs - trial.sinceNs);
    if (leftNs > 0) return `for ${formatLong(rule.forNs)}: ${formatLong(leftNs)} to go`;
    return this.#pressed.has(rule) ? "the next scan" : "when: others do not have to wait";
  }

  #facts({ nowNs, processes, lists }: World): Facts {
    return {
      nowNs,
      processes,
      list: (path) => lists.get(path),
      cpuShare: (process, overNs) => this.#standings.get(process)?.history?.share(overNs),
    };
  }

  #press(pressures: Pressures): void {
    for (const rule of this.#set.rules) {
      const { when } = rule;
      const factor = this.#pressed.has(rule) ? 0.5 : 1;
      const pressed =
        when === undefined || kinds.every((kind) => when[kind] === undefined || (pressures[kind] ?? 0) >= when[kind] * factor);
      if (pressed) this.#pressed.add(rule);
      else this.#pressed.delete(rule);
    }
  }

  #decideOne(process: ProcessInfo, facts: Facts, world: World, { wanted, turns }: Decisions): void {
    let standing = this.#standings.get(process);
    if (standing === undefined) {
      standing = new Standing(facts.nowNs);
      this.#standings.set(process, standing);
    }
    const fresh = standing.version !== process.version;
    if (fresh) this.#choose(process, standing, facts, turns);
    const { trials } = standing;
    if (trials.length === 0) return;
    if (this.#set.cpuOverNs !== undefined) {
      standing.history ??= new CpuHistory(process);
      standing.history.note(process, facts.nowNs, this.#set.cpuOverNs);
    }
    let decided: Trial | undefined;
    for (const trial of trials) {
      trial.look(process, facts, false);
      this.#step(trial, process, facts, world, turns, decided !== undefined && this.#set.combine === "first");
      if (trial.force === undefined || trial.rule.mode === "watch") continue;
      decided =
        decided === undefined || severity(trial.amount, this.#set.pools) < severity(decided.amount, this.#set.pools) ? trial : decided;
    }
    if (decided?.force === undefined) return;
    const { rule, amount, force } = decided;
    wanted.set(process, { rule, amount, tier: force.tier, sinceNs: force.sinceNs, reason: force.reason });
  }

  /** Which rules may ever apply to the process as it is. */
  #choose(process: ProcessInfo, standing: Standing, facts: Facts, turns: Turn[]): void {
    const before = new Map(standing.trials.map((trial) => [trial.rule, trial]));
    const trials: Trial[] = [];
    for (const rule of this.#index.candidates(process, (condition) => condition.test(process, facts))) {
      trials.push(before.get(rule) ?? this.#begin(rule, process, facts));
      before.delete(rule);
    }
    for (const { rule, force } of before.values()) {
      if (force !== undefined) turns.push({ process, rule, kind: "left", reason: "it does not match any more" });
    }
    standing.trials = trials;
    standing.version = process.version;
    standing.seenNs = facts.nowNs;
  }

  #begin(rule: Rule, process: ProcessInfo, facts: Facts): Trial {
    const trial = new Trial(rule, facts.nowNs);
    const key = this.#restored.size === 0 ? "" : `${process.pid} ${process.startTime} ${rule.name}`;
    const restored = this.#restored.get(key);
    if (restored !== undefined) {
      this.#restored.delete(key);
      trial.force = { sinceNs: restored.sinceNs, tier: 0, unthrottledSinceNs: undefined, reason: restored.reason };
    }
    trial.look(process, facts, true);
    return trial;
  }

  #step(trial: Trial, process: ProcessInfo, facts: Facts, world: World, turns: Turn[], shadowed: boolean): void {
    const { rule } = trial;
    const pressed = this.#pressed.has(rule);
    if (trial.force !== undefined) {
      const reason = shadowed ? "an earlier rule decides" : trial.letsGo(facts, world.throttled(process), pressed);
      if (reason !== undefined) {
        trial.leave(facts.nowNs);
        turns.push({ process, rule, kind: "left", reason });
      }
    } else if (!shadowed && pressed && trial.ripe(facts.nowNs)) {
      trial.enter(process, facts);
      turns.push({ process, rule, kind: "entered", reason: trial.force === undefined ? "" : (trial.force as { reason: string }).reason });
    }
    if (trial.escalate(facts.nowNs)) {
      const heldNs = facts.nowNs - (trial.force?.sinceNs ?? 0);
      turns.push({ process, rule, kind: "escalated", reason: `it has been hobbled for ${formatLong(heldNs)}` });
    }
  }
}

const kinds = ["cpu", "memory", "io"] as const;
