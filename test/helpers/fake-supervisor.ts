/** A daemon in memory, for tests of what stands before it. Its targets are made up; it touches no process. */
import { statSync } from "node:fs";
import type {
  AddRequest,
  Caller,
  DaemonStats,
  Decision,
  DecisionKind,
  Explanation,
  QuotaStanding,
  ReloadResult,
  Supervisor,
  TargetReport,
} from "../../src/daemon/supervisor.js";
import { HobbleError } from "../../src/errors.js";
import { Hobbler } from "../../src/hobbler.js";
import type { EngineHistograms } from "../../src/stats.js";

export function madeUpTarget(changes: Partial<TargetReport> & { pid: number }): TargetReport {
  return {
    kind: "process",
    parentPid: 1,
    name: "burner",
    uid: 1000,
    user: "alice",
    origin: "rule",
    by: "runaways",
    byUid: null,
    byAdmin: null,
    reason: "used 93 % of a CPU for 31 s (cpuAbove 80 % for 30 s)",
    tier: 0,
    sinceAt: 1_700_000_000_000,
    untilAt: null,
    state: "stopped",
    members: 1,
    runNs: 10e6,
    stopNs: 250e6,
    limit: null,
    pool: null,
    dutyAsked: 10 / 260,
    dutyAchieved: 10 / 260,
    cpu: 0.038,
    cpuSeconds: 1.5,
    cycles: 100,
    signals: 200,
    skippedWindows: 0,
    deferredWindows: 0,
    runErrorP99Ns: 40_000,
    ...changes,
  };
}

export class FakeSupervisor implements Supervisor {
  readonly #targets = new Map<number, TargetReport>();
  readonly #decisions: Decision[] = [];
  readonly #listeners = new Set<(decision: Decision) => void>();
  readonly #hobbler = new Hobbler({ realtime: "off", guardian: "off" });
  /** Calls that change something, in words: what was let through. */
  readonly calls: string[] = [];
  offSince: DaemonStats["off"] = null;
  reloadAnswer: ReloadResult = { applied: true, problems: [], rules: 1, quotas: 0 };

  constructor(targets: readonly TargetReport[] = []) {
    for (const target of targets) this.#targets.set(target.pid, target);
  }

  targets(uid?: number): TargetReport[] {
    const wanted = [...this.#targets.values()].filter((target) => uid === undefined || target.uid === uid);
    return wanted.sort((a, b) => a.pid - b.pid);
  }

  handCount(uid: number): number {
    return [...this.#targets.values()].filter(({ origin, byUid }) => origin === "hand" && byUid === uid).length;
  }

  target(pid: number): TargetReport | undefined {
    return this.#targets.get(pid);
  }

  put(target: TargetReport): void {
    this.#targets.set(target.pid, target);
  }

  async explain(pid: number): Promise<Explanation> {
    const target = this.#targets.get(pid) ?? null;
    const { name, uid, user } = target ?? { name: "sleep", uid: statSync(`/proc/${pid}`).uid, user: "somebody" };
    const history = this.#decisions.filter((decision) => decision.pid === pid);
    return { pid, name, uid, user, target, protected: null, rules: [], quotas: [], history };
  }

  quotas(): QuotaStanding[] {
    return [];
  }

  async add(request: AddRequest, caller: Caller): Promise<TargetReport> {
    const { pid, kind, runNs, stopNs, limit, pool } = request;
    if (this.#targets.has(pid)) throw new HobbleError("ERR_BUSY", `process ${pid} is a target already`, { pid });
    const by = { origin: "hand", by: caller.user, byUid: caller.uid, byAdmin: caller.admin } as const;
    const target = madeUpTarget({ pid, kind, runNs, stopNs, limit, pool, uid: caller.uid, user: caller.user, ...by });
    this.#targets.set(pid, target);
    this.calls.push(`add ${pid} by ${caller.user}`);
    this.decide("hobbled", { pid, uid: target.uid, by: caller.user, reason: "by hand" });
    return target;
  }

  async remove(pid: number, caller: Caller): Promise<void> {
    this.#targets.delete(pid);
    this.calls.push(`remove ${pid} by ${caller.user}`);
    this.decide("released", { pid, by: caller.user, reason: "by hand" });
  }

  async off(by: string): Promise<void> {
    this.offSince = { sinceAt: Date.now(), by };
    this.calls.push(`off by ${by}`);
  }

  async on(by: string): Promise<void> {
    this.offSince = null;
    this.calls.push(`on by ${by}`);
  }

  async reload(by: string): Promise<ReloadResult> {
    this.calls.push(`reload by ${by}`);
    return this.reloadAnswer;
  }

  stats(): DaemonStats {
    return {
      version: "0.0.0",
      pid: process.pid,
      startedAt: 1_700_000_000_000,
      configuration: "/etc/hobble.toml",
      loadedAt: 1_700_000_000_000,
      off: this.offSince,
      rules: [{ rule: "runaways", mode: "hobble", origin: "rule", targets: this.#targets.size, hobbled: 3, escalated: 1, released: 2 }],
      scan: { source: "proc", scans: 1, processes: 10, hidden: 0, scanCpuNs: 1e6, decideCpuNs: 1e5, lastScanAt: 1_700_000_000_000 },
      decisions: { hobbled: 3 },
      engine: this.#hobbler.stats(),
    };
  }

  histograms(): EngineHistograms {
    return this.#hobbler.histograms();
  }

  decisions(): readonly Decision[] {
    return this.#decisions;
  }

  subscribe(listener: (decision: Decision) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get followers(): number {
    return this.#listeners.size;
  }

  decide(kind: DecisionKind, changes: Partial<Decision> = {}): void {
    const nobody = { pid: null, name: null, uid: null, user: null, origin: null, by: null, asked: null, untilAt: null };
    const decision = { sequence: this.#decisions.length + 1, at: Date.now(), kind, reason: "because", ...nobody, ...changes };
    this.#decisions.push(decision);
    for (const listener of this.#listeners) listener(decision);
  }

  async close(): Promise<void> {
    await this.#hobbler.close();
  }
}
