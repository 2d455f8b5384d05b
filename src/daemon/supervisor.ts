/**
 * What the control side (socket, commands, `hobble top`, metrics) may ask of the daemon. The daemon implements it; tests have a small one in memory.
 *
 * Everything here is plain data that goes through JSON as it is: absent values are null, moments are milliseconds since the epoch (`…At`), durations
 * nanoseconds (`…Ns`), limits and CPU use are CPUs (0.05 = 5 % of one CPU), duties and shares fractions of 1.
 *
 * Who may do what is decided on the control side, before a call comes here: the daemon trusts a `Caller`.
 */
import type { EngineHistograms, HobblerStats } from "../stats.js";
import type { TargetKindName, TargetState } from "../target-stats.js";

/** Who asks. */
export interface Caller {
  readonly uid: number;
  /** Its name, or the uid as text where it has none. */
  readonly user: string;
  /** Root, a member of the admin group, or whoever runs a `--user` daemon. */
  readonly admin: boolean;
}

/** What made a process a target: a rule, a quota, or somebody by hand. */
export type Origin = "rule" | "quota" | "hand";

/** A cycle, or a limit; a pool may go with either. */
export interface Asked {
  readonly runNs: number | null;
  readonly stopNs: number | null;
  /** CPUs. */
  readonly limit: number | null;
  readonly pool: string | null;
}

export interface TargetReport extends Asked {
  /** The process, the root of the tree, or the process group: the key of a target. */
  readonly pid: number;
  readonly kind: TargetKindName;
  readonly parentPid: number;
  /** The program's name, as /proc/PID/comm has it. */
  readonly name: string;
  readonly uid: number;
  readonly user: string;
  readonly origin: Origin;
  /** Name of the rule or quota; for "hand" the name of who did it. */
  readonly by: string;
  /** uid of who did it by hand, and whether as admin: only an admin may lift what an admin imposed. Null for a rule or a quota. */
  readonly byUid: number | null;
  readonly byAdmin: boolean | null;
  /** One sentence with its evidence: "used 93 % of a CPU for 31 s (cpuAbove 80 % for 30 s)". */
  readonly reason: string;
  /** 0, or how often it was escalated; for a quota the tier. */
  readonly tier: number;
  readonly sinceAt: number;
  /** When it ends if nothing else happens; null = open. */
  readonly untilAt: number | null;
  readonly state: TargetState;
  readonly members: number;
  /** Null for a limit. */
  readonly dutyAsked: number | null;
  /** By the times of the signals; null until the first cycle has ended. */
  readonly dutyAchieved: number | null;
  /** CPUs used in the last seconds; null until it is known. */
  readonly cpu: number | null;
  /** CPU seconds since it became a target. */
  readonly cpuSeconds: number | null;
  readonly cycles: number;
  readonly signals: number;
  readonly skippedWindows: number;
  readonly deferredWindows: number;
  /** p99 of the absolute error of its run windows. */
  readonly runErrorP99Ns: number;
}

/** What became of one rule for one process. */
export interface RuleTrial {
  readonly rule: string;
  readonly mode: "hobble" | "watch";
  /**
   * "applies": it decides what happens; "waiting": its condition holds, but not yet for as long as `for` asks; "shadowed": it holds, an earlier or
   * stricter one decided; "failed": a condition does not hold.
   */
  readonly outcome: "applies" | "waiting" | "shadowed" | "failed";
  /** The condition that failed or that is waited for, with what was found: "cpuAbove 80%: it uses 3 %". */
  readonly condition: string | null;
  /** Since when it has been so. */
  readonly sinceAt: number | null;
}

/** How a user (or cgroup, or command) stands to a quota. */
export interface QuotaStanding {
  readonly quota: string;
  readonly per: string;
  /** The user, cgroup or command. */
  readonly key: string;
  readonly usedCpuSeconds: number;
  readonly allowedCpuSeconds: number;
  /** 0 = within the quota. */
  readonly tier: number;
  readonly exempt: boolean;
  /** When the window ends, or the oldest use falls out of a sliding one. */
  readonly renewsAt: number | null;
  /** When it falls back a tier if it behaves. */
  readonly decaysAt: number | null;
}

export interface Explanation {
  readonly pid: number;
  readonly name: string;
  readonly uid: number;
  readonly user: string;
  /** Null = it runs freely. */
  readonly target: TargetReport | null;
  /** Why it can never be a target ("process 1 is protected: …"); null if it can. */
  readonly protected: string | null;
  /** In the order in which they were tried. */
  readonly rules: readonly RuleTrial[];
  readonly quotas: readonly QuotaStanding[];
  /** What happened to it, oldest first, as far as it is remembered. */
  readonly history: readonly Decision[];
}

export type DecisionKind =
  /** A process became a target; would have (mode "watch"); its cycle or limit changed; did so because of an escalation; is a target no longer. */
  | "hobbled"
  | "watched"
  | "changed"
  | "escalated"
  | "released"
  /** It exited; it could not be hobbled. */
  | "exited"
  | "failed"
  /** It got round its limit; somebody else stopped it, and it runs again. */
  | "evaded"
  | "held"
  | "unheld"
  /** The daemon as a whole. */
  | "started"
  | "stopped"
  | "reloaded"
  | "off"
  | "on"
  | "warning";

export interface Decision {
  /** 1, 2, … since the daemon started; without gaps. */
  readonly sequence: number;
  readonly at: number;
  readonly kind: DecisionKind;
  /** Null for what concerns the daemon as a whole. */
  readonly pid: number | null;
  readonly name: string | null;
  readonly uid: number | null;
  readonly user: string | null;
  readonly origin: Origin | null;
  /** As in `TargetReport`. For the daemon as a whole: who asked ("root", "SIGHUP", "SIGUSR2", "file"), or null. */
  readonly by: string | null;
  /** One sentence with its evidence. */
  readonly reason: string;
  readonly asked: Asked | null;
  readonly untilAt: number | null;
}

export interface AddRequest {
  readonly pid: number;
  readonly kind: TargetKindName;
  /** The process as the caller's rights were judged on it: if it is another by now, `add` throws `ERR_IDENTITY`. */
  readonly startTime: number;
  readonly inode: bigint;
  /** A cycle (both), or a limit in CPUs. */
  readonly runNs: number | null;
  readonly stopNs: number | null;
  readonly limit: number | null;
  /** Name of a pool of the configuration, or null. */
  readonly pool: string | null;
  /** Null = until it is lifted or exits. */
  readonly forNs: number | null;
  /** What the caller gave as reason, or null. */
  readonly reason: string | null;
}

/** A place in a configuration, and what to do about it. */
export interface ConfigurationProblem {
  readonly file: string;
  /** From 1; null where no place can be named. */
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

export interface ReloadResult {
  /** False: the old configuration stays in force. */
  readonly applied: boolean;
  readonly problems: readonly ConfigurationProblem[];
  readonly rules: number;
  readonly quotas: number;
}

/** What each scan costs and finds. */
export interface ScanStats {
  readonly source: string;
  readonly scans: number;
  /** Of the last scan. */
  readonly processes: number;
  /** Not readable (hidepid, other users). */
  readonly hidden: number;
  readonly scanCpuNs: number;
  readonly decideCpuNs: number;
  readonly lastScanAt: number | null;
}

export interface RuleStats {
  readonly rule: string;
  readonly mode: "hobble" | "watch";
  readonly origin: "rule" | "quota";
  /** Targets now. */
  readonly targets: number;
  /** Since the daemon started. */
  readonly hobbled: number;
  readonly escalated: number;
  readonly released: number;
}

export interface DaemonStats {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly configuration: string | null;
  readonly loadedAt: number;
  /** Null, or since when and by whom everything is off. */
  readonly off: { readonly sinceAt: number; readonly by: string } | null;
  readonly rules: readonly RuleStats[];
  readonly scan: ScanStats;
  /** How many decisions there were of each kind. */
  readonly decisions: Readonly<Partial<Record<DecisionKind, number>>>;
  /** Figures of the engine. */
  readonly engine: HobblerStats;
}

export interface Supervisor {
  /** All, or those whose process is a user's, in the order of their PIDs. 10,000 must take no more than some 50 ms: no look into /proc here. */
  targets(uid?: number): TargetReport[];
  /** Targets that a user asked for by hand. */
  handCount(uid: number): number;
  target(pid: number): TargetReport | undefined;
  /** @throws HobbleError `ESRCH` */
  explain(pid: number): Promise<Explanation>;
  /** Of one user, or of all. */
  quotas(uid?: number): QuotaStanding[];
  /**
   * Hobbles a process by hand. Resolves when its first signal was sent.
   *
   * @throws HobbleError as `Hobbler.add` and `Target.ready`; `ERR_BUSY` when it is a target already; `EINVAL` for an unknown pool.
   */
  add(request: AddRequest, caller: Caller): Promise<TargetReport>;
  /**
   * Lifts a target, whatever imposed it. A rule does not take it again while it goes on to match; when it has not matched for once, it may.
   * Resolves when its processes run.
   *
   * @throws HobbleError `ESRCH` when it is not a target.
   */
  remove(pid: number, caller: Caller): Promise<void>;
  /**
   * Everything runs when it returns, and goes on running, until `on`. `by` is a user's name or "SIGUSR2". May be called again. Resolves when it has
   * been tried to save that.
   */
  off(by: string): Promise<void>;
  on(by: string): Promise<void>;
  /** The configuration is read again. Problems are in the result, and the old one stays in force. */
  reload(by: string): Promise<ReloadResult>;
  stats(): DaemonStats;
  /** Of lateness and window errors since the start, for the metrics. */
  histograms(): EngineHistograms;
  /** The last decisions that are still remembered (at least 1,000), oldest first. */
  decisions(): readonly Decision[];
  /** Tells of each decision as it is made. Returns the function that ends it. */
  subscribe(listener: (decision: Decision) => void): () => void;
  /** Ends: everything is released. */
  close(): Promise<void>;
}
