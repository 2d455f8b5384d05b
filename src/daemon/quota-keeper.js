import { CpuAccounting } from "../rules/accounting.js";
import { accountOf, QuotaLedger } from "../rules/quota.js";
export class QuotaKeeper {
  #accounting = new CpuAccounting();
  #ledgers = [];
  /** Of quotas that are not configured now, but may be again. */
  #parked = {};
  /** Takes other quotas; what is on the account of one of the same name stays. */
  replace(quotas) {
    for (const ledger of this.#ledgers) this.#parked[ledger.quota.name] = ledger.state();
    this.#ledgers = quotas.map((quota) => {
      const ledger = new QuotaLedger(quota);
      ledger.restore(this.#parked[quota.name] ?? {});
      delete this.#parked[quota.name];
      return ledger;
    });
  }
  restore(quotas, counted) {
    for (const ledger of this.#ledgers) ledger.restore(quotas[ledger.quota.name] ?? {});
    this.#accounting.restore(counted);
  }
  state() {
    const quotas = Object.fromEntries(this.#ledgers.map((ledger) => [ledger.quota.name, ledger.state()]));
    return { quotas, counted: this.#ledgers.length === 0 ? [] : this.#accounting.state() };
  }
  get empty() {
    return this.#ledgers.length === 0;
  }
  /** After a scan. Returns who has changed tiers. */
  scan(processes, facts, nowMs) {
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
  verdicts(process, facts, nowMs) {
    const verdicts = [];
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
  standings(nowMs, process, facts) {
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
function keyOf(quota, process, facts) {
  if (quota.condition !== undefined && !quota.condition.test(process, facts)) return undefined;
  return accountOf(quota, process);
}
