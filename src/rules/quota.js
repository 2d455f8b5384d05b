import { conditionOf } from "./conditions.js";
import { globTester } from "./glob.js";
export function quotaOf(settings, index) {
  const testers = (settings.exempt ?? []).map(globTester);
  const condition = settings.match === undefined ? undefined : conditionOf(settings.match);
  const text = settings.per === "user" ? "user" : settings.per === "cgroup" ? "cgroup" : "executable";
  return {
    name: settings.name ?? `quota-${index + 1}`,
    mode: settings.mode ?? "hobble",
    per: settings.per,
    condition,
    cpuSeconds: settings.cpuSeconds,
    everyMs: settings.every / 1e6,
    window: settings.window ?? "calendar",
    tiers: settings.tiers,
    decayMs: settings.decay === undefined ? undefined : settings.decay / 1e6,
    notify: settings.notify,
    needs: [text, ...(condition?.needs ?? [])],
    exempt: (key) => testers.some((test) => test(key)),
  };
}
/** Whose account a process is on; undefined while that is not known. */
export function accountOf(quota, process) {
  const { per } = quota;
  const key = per === "user" ? process.user : per === "cgroup" ? process.cgroup : process.executable || process.name;
  return key === "" ? undefined : key;
}
/** A sliding window is counted in this many parts; what is older than the window falls out a part at a time. */
const partsOfWindow = 60;
export class QuotaLedger {
  quota;
  #accounts = new Map();
  /** Minutes east of Greenwich, so that a calendar day is the host's. */
  #offsetMs;
  constructor(quota, offsetMs = localOffsetMs) {
    this.quota = quota;
    this.#offsetMs = offsetMs;
  }
  /** CPU time that was spent up to now. */
  charge(key, cpuNs, nowMs) {
    if (cpuNs <= 0) return;
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { parts: [], tier: 0, counted: 0, goodSinceMs: null, changedMs: nowMs };
      this.#accounts.set(key, account);
    }
    const part = this.#partAt(nowMs);
    const last = account.parts.at(-1);
    if (last !== undefined && last[0] >= part) last[1] += cpuNs / 1e9;
    else account.parts.push([part, cpuNs / 1e9]);
  }
  /** Moves every account to the tier that it deserves now. To be called after each round of charges. */
  settle(nowMs) {
    const changes = [];
    for (const [key, account] of this.#accounts) {
      const from = account.tier;
      const used = this.#used(account, nowMs);
      this.#judge(key, account, used, nowMs);
      if (account.tier !== from) {
        account.changedMs = nowMs;
        changes.push({ key, from, to: account.tier, usedCpuSeconds: used });
      }
      if (account.tier === 0 && account.parts.length === 0) this.#accounts.delete(key);
    }
    return changes;
  }
  tierOf(key) {
    return this.#accounts.get(key)?.tier ?? 0;
  }
  standing(key, nowMs) {
    const { everyMs, decayMs } = this.quota;
    const account = this.#accounts.get(key);
    const used = account === undefined ? 0 : this.#used(account, nowMs);
    const oldest = account?.parts[0]?.[0];
    const part = this.#partAt(nowMs);
    const renews =
      this.quota.window === "calendar"
        ? this.#startOf(part + 1, nowMs)
        : oldest === undefined
          ? nowMs + everyMs
          : this.#startOf(oldest, nowMs) + everyMs + this.#partMs;
    const good = account?.goodSinceMs ?? null;
    return {
      key,
      usedCpuSeconds: used,
      tier: account?.tier ?? 0,
      exempt: this.quota.exempt(key),
      renewsAtMs: renews,
      decaysAtMs: decayMs !== undefined && good !== null && (account?.tier ?? 0) > 0 ? good + decayMs : null,
      changedMs: account?.changedMs ?? nowMs,
    };
  }
  keys() {
    return this.#accounts.keys();
  }
  /** For the next start. */
  state() {
    return Object.fromEntries(this.#accounts);
  }
  restore(state) {
    for (const [key, account] of Object.entries(state)) this.#accounts.set(key, structuredClone(account));
  }
  #judge(key, account, used, nowMs) {
    const { quota } = this;
    if (quota.exempt(key)) {
      account.tier = 0;
      return;
    }
    const times = Math.floor(used / quota.cpuSeconds + 1e-9);
    if (quota.decayMs === undefined) {
      account.tier = Math.min(times, quota.tiers.length);
      return;
    }
    if (times > account.counted) account.tier = Math.min(account.tier + times - account.counted, quota.tiers.length);
    account.counted = times;
    if (times > 0) {
      account.goodSinceMs = null;
      return;
    }
    account.goodSinceMs ??= nowMs;
    while (account.tier > 0 && nowMs - account.goodSinceMs >= quota.decayMs) {
      account.tier--;
      account.goodSinceMs += quota.decayMs;
    }
  }
  get #partMs() {
    return this.quota.window === "calendar" ? this.quota.everyMs : this.quota.everyMs / partsOfWindow;
  }
  #partAt(nowMs) {
    return Math.floor((nowMs + this.#offset(nowMs)) / this.#partMs);
  }
  #startOf(part, nowMs) {
    return part * this.#partMs - this.#offset(nowMs);
  }
  #offset(nowMs) {
    if (this.quota.window !== "calendar") return 0;
    return this.#offsetMs(nowMs) + (this.quota.everyMs % weekMs === 0 ? mondayMs : 0);
  }
  /** Drops what is out of the window. */
  #used(account, nowMs) {
    const oldest = this.quota.window === "calendar" ? this.#partAt(nowMs) : this.#partAt(nowMs) - partsOfWindow + 1;
    while ((account.parts[0]?.[0] ?? Number.POSITIVE_INFINITY) < oldest) account.parts.shift();
    return account.parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  }
}
const weekMs = 7 * 86_400_000;
/** Weeks begin on Monday; the epoch was a Thursday. */
const mondayMs = 3 * 86_400_000;
/** Windows of whole days begin at the host's midnight. */
function localOffsetMs(nowMs) {
  return -new Date(nowMs).getTimezoneOffset() * 60_000;
}
