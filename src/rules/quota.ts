/**
 * Quotas: how many CPU seconds a user (a cgroup, a command) may spend in a window of time, and what happens to whoever spends more. Pure: charges and
 * the time of day are given.
 *
 * Each time that the use in a window passes another whole quota, the penalty goes up one tier. It goes down one tier for each `decay` of good behaviour,
 * that is of time in which the use was within the quota; without `decay` the tier is that of the use in the window, and ends with it.
 */
import type { ProcessInfo, ProcessText } from "../discovery/process-info.js";
import { type Condition, conditionOf } from "./conditions.js";
import { globTester } from "./glob.js";
import type { Amount } from "./rule.js";
import type { QuotaSettings } from "./schema.js";

export interface Quota {
  readonly name: string;
  readonly mode: "hobble" | "watch";
  readonly per: "user" | "cgroup" | "command";
  /** Only what these processes spend counts, and only they are hobbled. */
  readonly condition: Condition | undefined;
  readonly cpuSeconds: number;
  readonly everyMs: number;
  readonly window: "calendar" | "sliding";
  readonly tiers: readonly Amount[];
  readonly decayMs: number | undefined;
  readonly notify: string | undefined;
  readonly needs: readonly ProcessText[];
  exempt(key: string): boolean;
}

export function quotaOf(settings: QuotaSettings, index: number): Quota {
  const testers = (settings.exempt ?? []).map(globTester);
  const condition = settings.match === undefined ? undefined : conditionOf(settings.match);
  const text: ProcessText = settings.per === "user" ? "user" : settings.per === "cgroup" ? "cgroup" : "executable";
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
export function accountOf(quota: Quota, process: ProcessInfo): string | undefined {
  const { per } = quota;
  const key = per === "user" ? process.user : per === "cgroup" ? process.cgroup : process.executable || process.name;
  return key === "" ? undefined : key;
}

/** A sliding window is counted in this many parts; what is older than the window falls out a part at a time. */
const partsOfWindow = 60;

/** What is kept of an account, also over restarts. Moments are ms since the epoch. */
export interface AccountState {
  /** CPU seconds in each part of the window, by its number since the epoch. A calendar window is one part. */
  parts: [part: number, cpuSeconds: number][];
  tier: number;
  /** How many whole quotas of the window have been counted against it. */
  counted: number;
  /** When it began to behave, or went down a tier. */
  goodSinceMs: number | null;
  changedMs: number;
}

export interface AccountStanding {
  readonly key: string;
  readonly usedCpuSeconds: number;
  readonly tier: number;
  readonly exempt: boolean;
  readonly renewsAtMs: number;
  readonly decaysAtMs: number | null;
  readonly changedMs: number;
}

export interface TierChange {
  readonly key: string;
  readonly from: number;
  readonly to: number;
  readonly usedCpuSeconds: number;
}

export class QuotaLedger {
  readonly quota: Quota;
  readonly #accounts = new Map<string, AccountState>();
  /** Minutes east of Greenwich, so that a calendar day is the host's. */
  readonly #offsetMs: (nowMs: number) => number;

  constructor(quota: Quota, offsetMs: (nowMs: number) => number = localOffsetMs) {
    this.quota = quota;
    this.#offsetMs = offsetMs;
  }

  /** CPU time that was spent up to now. */
  charge(key: string, cpuNs: number, nowMs: number): void {
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
  settle(nowMs: number): TierChange[] {
    const changes: TierChange[] = [];
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

  tierOf(key: string): number {
    return this.#accounts.get(key)?.tier ?? 0;
  }

  standing(key: string, nowMs: number): AccountStanding {
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

  keys(): IterableIterator<string> {
    return this.#accounts.keys();
  }

  /** For the next start. */
  state(): Record<string, AccountState> {
    return Object.fromEntries(this.#accounts);
  }

  /** @param state of the same quota, whose window and tiers may have been others then. */
  restore(state: Readonly<Record<string, AccountState>>, nowMs: number): void {
    const present = this.#partAt(nowMs);
    for (const [key, saved] of Object.entries(state)) {
      const account = structuredClone(saved);
      // Parts are numbered by their length: those of a longer window, or of a clock that was ahead, would never fall out.
      account.parts = account.parts.filter(([part]) => part <= present);
      account.tier = Math.min(account.tier, this.quota.tiers.length);
      this.#accounts.set(key, account);
    }
  }

  #judge(key: string, account: AccountState, used: number, nowMs: number): void {
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

  get #partMs(): number {
    return this.quota.window === "calendar" ? this.quota.everyMs : this.quota.everyMs / partsOfWindow;
  }

  #partAt(nowMs: number): number {
    return Math.floor((nowMs + this.#offset(nowMs)) / this.#partMs);
  }

  #startOf(part: number, nowMs: number): number {
    return part * this.#partMs - this.#offset(nowMs);
  }

  #offset(nowMs: number): number {
    if (this.quota.window !== "calendar") return 0;
    return this.#offsetMs(nowMs) + (this.quota.everyMs % weekMs === 0 ? mondayMs : 0);
  }

  /** Drops what is out of the window. */
  #used(account: AccountState, nowMs: number): number {
    const oldest = this.quota.window === "calendar" ? this.#partAt(nowMs) : this.#partAt(nowMs) - partsOfWindow + 1;
    while ((account.parts[0]?.[0] ?? Number.POSITIVE_INFINITY) < oldest) account.parts.shift();
    return account.parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  }
}

const weekMs = 7 * 86_400_000;
/** Weeks begin on Monday; the epoch was a Thursday. */
const mondayMs = 3 * 86_400_000;

/** Windows of whole days begin at the host's midnight. */
function localOffsetMs(nowMs: number): number {
  return -new Date(nowMs).getTimezoneOffset() * 60_000;
}
