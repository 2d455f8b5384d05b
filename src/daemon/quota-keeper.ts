/** Quotas of a running daemon: charges them with what each scan shows, and knows who is over. */
import type { ProcessInfo } from "../discovery/process-info.js";
import { type CountedState, CpuAccounting } from "../rules/accounting.js";
import type { Facts } from "../rules/facts.js";
import { type AccountState, accountOf, type Quota, QuotaLedger, type TierChange } from "../rules/quota.js";
import type { Amount } from "../rules/rule.js";
import type { QuotaStanding } from "./supervisor.js";

/** What a quota wants done to a process. */
export interface QuotaVerdict {
  readonly quota: Quota;
  readonly key: string;
  readonly amount: Amount;
  readonly tier: number;
  readonly sinceMs: number;
  readonly untilMs: number | null;
  readonly reason: string;
}

export interface QuotaNews extends TierChange {
  readonly quota: Quota;
}

export class QuotaKeeper {
  #accounting = new CpuAccounting();
  #ledgers: QuotaLedger[] = [];
  /** Of quotas that are not configured now, but may be again. */
  #parked: Record<string, Record<string, AccountState>> = {};

  /** Takes other quotas; what is on the account of one of the same name stays. */
  replace(quotas: readonly Quota[], nowMs = Date.now()): void {
    // What is spent while there are none is nobody's debt when there are some again.
    if (quotas.length === 0) this.#accounting = new CpuAccounting();
    for (const ledger of this.#ledgers) this.#parked[ledger.quota.name] = ledger.state();
    this.#ledgers = quotas.map((quota) => {
      const ledger = new QuotaLedger(quota);
      ledger.restore(this.#parked[quota.name] ?? {}, nowMs);
      delete this.#parked[quota.name];
      return ledger;
    });
  }

  restore(quotas: Record<string, Record<string, AccountState>>, counted: readonly CountedState[], nowMs = Date.now()): void {
    for (const ledger of this.#ledgers) ledger.restore(quotas[ledger.quota.name] ?? {}, nowMs);
    this.#accounting.restore(counted);
  }

  state(): { quotas: Record<string, Record<string, AccountState>>; counted: CountedState[] } {
    const quotas = Object.fromEntries(this.#ledgers.map((ledger) => [ledger.quota.name, ledger.state()]));
    return { quotas, counted: this.#ledgers.length === 0 ? [] : this.#accounting.state() };
  }

  get empty(): boolean {
    return this.#ledgers.length === 0;
  }

  /** After a scan. Returns who has changed tiers. */
  scan(processes: ReadonlyMap<number, ProcessInfo>, facts: Facts, nowMs: number): QuotaNews[] {
    if (this.empty) return [];
    this.#accounting.scan(processes, facts.nowNs, (process, cpuNs) => {
      for (const ledger of this.#ledgers) {
        const key = keyOf(ledger.quota, process, facts);
        if (key !== undefined) ledger.charge(key, cpuNs, nowMs);
      }
    });
    return this.#ledgers.flatMap((ledger) => ledger.settle(nowMs).map((change) => ({ ...change, quota: ledger.quota })));
  }

  /** What is to be done to a process because of quotas. */
  verdicts(process: ProcessInfo, facts: Facts, nowMs: number): QuotaVerdict[] {
    const verdicts: QuotaVerdict[] = [];
    for (const ledger of this.#ledgers) {
      const { quota } = ledger;
      const key = keyOf(quota, process, facts);
      const tier = key === undefined ? 0 : ledger.tierOf(key);
      const amount = quota.tiers[tier - 1];
      if (key === undefined || amount === undefined) continue;
      const { usedCpuSeconds, changedMs, decaysAtMs, renewsAtMs } = ledger.standing(key, nowMs);
      const reason = `${key} has used ${Math.round(usedCpuSeconds)} of ${quota.cpuSeconds} CPU seconds (tier ${tier} of ${quota.tiers.length})`;
      const untilMs = decaysAtMs ?? (quota.decayMs === undefined ? renewsAtMs : null);
      verdicts.push({ quota, key, amount, tier, sinceMs: changedMs, untilMs, reason });
    }
    return verdicts;
  }

  /** Everybody's standing, or that of the accounts that a process is on. */
  standings(nowMs: number, process?: ProcessInfo, facts?: Facts): QuotaStanding[] {
    return this.#ledgers.flatMap((ledger) => {
      const { quota } = ledger;
      const own = process !== undefined && facts !== undefined ? [keyOf(quota, process, facts)] : [...ledger.keys()];
      return own
        .filter((key) => key !== undefined)
        .map((key) => {
          const { usedCpuSeconds, tier, exempt, renewsAtMs, decaysAtMs } = ledger.standing(key, nowMs);
          return {
            quota: quota.name,
            per: quota.per,
            key,
            usedCpuSeconds,
            allowedCpuSeconds: quota.cpuSeconds,
            tier,
            exempt,
            renewsAt: renewsAtMs,
            decaysAt: decaysAtMs,
          };
        });
    });
  }
}

function keyOf(quota: Quota, process: ProcessInfo, facts: Facts): string | undefined {
  if (quota.condition !== undefined && !quota.condition.test(process, facts)) return undefined;
  return accountOf(quota, process);
}
