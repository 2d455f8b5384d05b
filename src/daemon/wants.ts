/** What rules and quotas want for each process, by PID. */
import type { ProcessInfo } from "../discovery/process-info.js";
import type { Decisions } from "../rules/engine.js";
import type { Facts } from "../rules/facts.js";
import type { Amount } from "../rules/rule.js";
import { severity } from "../rules/rule.js";
import type { PoolSettings } from "../rules/schema.js";
import { epochOf } from "./boot-clock.js";
import type { Want } from "./desired.js";
import type { QuotaKeeper, QuotaVerdict } from "./quota-keeper.js";

export interface QuotaTerms {
  quotas: QuotaKeeper;
  facts: Facts;
  /** Processes that somebody took out of a quota's hands; forgotten here when no quota holds them any more. */
  lifted: WeakSet<ProcessInfo>;
  nowMs: number;
}

export function ruleWants({ wanted }: Decisions): Map<number, Want> {
  const wants = new Map<number, Want>();
  for (const [process, { rule, amount, tier, sinceNs, reason }] of wanted) {
    const spread = rule.tree ? "tree" : rule.lists.length > 0 ? "listed" : "process";
    const { name: by, notify } = rule;
    wants.set(process.pid, {
      process,
      amount,
      tier,
      origin: "rule",
      by,
      reason,
      sinceAt: epochOf(sinceNs),
      untilAt: null,
      notify,
      spread,
    });
  }
  return wants;
}

/** The stricter of what is wanted already and of what quotas ask. Adds to `pools` those that accounts over their quota share. */
export function addQuotaWants(
  processes: Iterable<ProcessInfo>,
  { quotas, facts, lifted, nowMs }: QuotaTerms,
  wants: Map<number, Want>,
  pools: Map<string, PoolSettings>,
): void {
  for (const process of processes) {
    if (process.state === "Z") continue;
    const verdicts = quotas.verdicts(process, facts, nowMs);
    if (verdicts.length === 0) lifted.delete(process);
    if (lifted.has(process)) continue;
    for (const verdict of verdicts) {
      const { quota, tier, sinceMs, untilMs, reason } = verdict;
      if (quota.mode === "watch") continue;
      const amount = sharedAmount(verdict, pools);
      const before = wants.get(process.pid);
      if (before !== undefined && severity(before.amount, pools) <= severity(amount, pools)) continue;
      const { name: by, notify } = quota;
      wants.set(process.pid, {
        process,
        amount,
        tier,
        origin: "quota",
        by,
        reason,
        sinceAt: sinceMs,
        untilAt: untilMs,
        notify,
        spread: "process",
      });
    }
  }
}

/** The limit of a quota is that of the account: all its processes share it. */
function sharedAmount({ quota, key, amount }: QuotaVerdict, pools: Map<string, PoolSettings>): Amount {
  const { run, limit, pool } = amount;
  if (run !== undefined || pool !== undefined || limit === undefined) return amount;
  const shared = `${quota.name}: ${key}`;
  pools.set(shared, { limit });
  return { pool: shared };
}
