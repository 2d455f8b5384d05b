/** What a rule makes of a process from scan to scan: whether its condition holds, since when, and whether it is in force. */
import type { ProcessInfo } from "../discovery/process-info.js";
import type { Condition } from "./conditions.js";
import type { Facts } from "./facts.js";
import type { Amount, Rule } from "./rule.js";

/** A rule that has taken hold of a process. Times after boot, ns. */
export interface Force {
  readonly sinceNs: number;
  /** 0, or how often it was escalated. */
  tier: number;
  /** Since when it had not to be stopped; undefined while it had. */
  unthrottledSinceNs: number | undefined;
  /** One sentence with the evidence of the moment when it took hold. */
  readonly reason: string;
}

/** Whether a process has had to be stopped since the last scan; undefined when that is not known. */
export type Throttled = boolean | undefined;

export class Trial {
  readonly rule: Rule;
  /** The single condition that does not hold. */
  failed: Condition | undefined;
  /** Since when it has been so, or since when all conditions hold. */
  sinceNs: number;
  force: Force | undefined;
  /** Lifted by hand: not taken again before it has not matched for once. */
  pardoned = false;

  constructor(rule: Rule, nowNs: number) {
    this.rule = rule;
    this.sinceNs = nowNs;
  }

  get holds(): boolean {
    return this.failed === undefined;
  }

  /** Tries the conditions. `fresh`: for the first time. */
  look(process: ProcessInfo, facts: Facts, fresh: boolean): void {
    const failed = this.rule.condition.failure(process, facts, this.force !== undefined);
    if (failed !== undefined) this.pardoned = false;
    if (fresh || (failed === undefined) !== (this.failed === undefined)) this.sinceNs = facts.nowNs;
    this.failed = failed;
  }

  /** Whether it would take hold now. */
  ripe(nowNs: number): boolean {
    return this.holds && !this.pardoned && nowNs - this.sinceNs >= this.rule.forNs;
  }

  enter(process: ProcessInfo, facts: Facts): void {
    const { rule } = this;
    const evidence = rule.condition.nature === "throttled" ? evidenceOf(rule.condition, process, facts) : rule.condition.text;
    this.force = { sinceNs: facts.nowNs, tier: 0, unthrottledSinceNs: undefined, reason: evidence };
  }

  /** Why the rule lets go of it, if it does. */
  letsGo(facts: Facts, throttled: Throttled, pressed: boolean): string | undefined {
    const { force, rule } = this;
    if (force === undefined) return undefined;
    if (throttled === true) force.unthrottledSinceNs = undefined;
    else if (throttled === false) force.unthrottledSinceNs ??= facts.nowNs;
    if (this.failed !== undefined) return `it does not meet ${this.failed.text} any more`;
    const { recover } = rule;
    if (!pressed) return "others do not have to wait any more";
    if (recover === undefined) return undefined;
    const heldNs = facts.nowNs - force.sinceNs;
    if (heldNs < recover.afterNs) return undefined;
    if (recover.unthrottledForNs === 0) return `it was hobbled for ${seconds(heldNs)}`;
    const { unthrottledSinceNs } = force;
    if (unthrottledSinceNs === undefined || facts.nowNs - unthrottledSinceNs < recover.unthrottledForNs) return undefined;
    return `it did not have to be stopped for ${seconds(facts.nowNs - unthrottledSinceNs)}`;
  }

  /** Goes to the tier that is due. True when that is a higher one. */
  escalate(nowNs: number): boolean {
    const { force, rule } = this;
    if (force === undefined) return false;
    const due = rule.escalate.filter(({ after }) => nowNs - force.sinceNs >= after).length;
    if (due <= force.tier) return false;
    force.tier = due;
    return true;
  }

  /** What is done to the process now. An escalation changes only what it names. */
  get amount(): Amount {
    const { rule, force } = this;
    return rule.escalate.slice(0, force?.tier ?? 0).reduce<Amount>(escalated, rule.amount);
  }

  leave(nowNs: number): void {
    this.force = undefined;
    this.sinceNs = nowNs;
  }
}

function escalated(before: Amount, { run, stop, limit, pool }: Amount): Amount {
  const own =
    run !== undefined ? { run, stop } : limit !== undefined ? { limit } : { run: before.run, stop: before.stop, limit: before.limit };
  return { ...own, pool: pool ?? before.pool };
}

/** "cpuAbove 80 % (it uses 97 %)", of the condition that tells most. */
function evidenceOf(condition: Condition, process: ProcessInfo, facts: Facts): string {
  const parts = "parts" in condition ? (condition.parts as readonly Condition[]) : [condition];
  return parts.map((part) => (part.nature === "throttled" ? `${part.text} (${part.found(process, facts)})` : part.text)).join(", ");
}

function seconds(ns: number): string {
  return `${Math.round(ns / 1e9)} s`;
}
