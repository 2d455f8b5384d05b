/** What a run of the suite leaves behind: everything that a report or a comparison needs. */
import type { Host } from "../report/host.js";
import type { Measurement } from "../statistics/measurement.js";

/** Changes when a reader of older files would misread newer ones. */
export const resultsFormat = 1;

/** One round of one contestant at one point of a scenario. */
export interface Observation {
  scenario: string;
  /** Such as "1,000 busy". */
  point: string;
  /** Targets at this point, where costs are drawn against their number. */
  count: number;
  contestant: string;
  round: number;
  metrics: Record<string, Measurement>;
}

/** How quiet the host was while nothing of ours ran. */
export interface Gauge {
  /** Lateness of a SCHED_FIFO thread that only wakes up, ns; by cyclictest or by our own. */
  p50Ns: number;
  p99Ns: number;
  maxNs: number;
  by: string;
  /** Shares of all CPUs. */
  steal: number;
  /** Likewise while the scenario behind it ran; undefined at the end. */
  stealDuring?: number;
  busy: number;
  before: string;
}

export interface CheckResult {
  contestant: string;
  check: string;
  outcome: "pass" | "fail" | "cannot";
  why: string;
}

/** What the referee found of what was injected. */
export interface SelfCheck {
  referee: string;
  injectedNs: number;
  /** Median over the windows. */
  foundNs: number;
  windows: number;
  /** Largest distance of what the referee saw to the time in which the contestant sent its signals, by its own clock: both signals together. */
  worstNs: number;
  /** Whether it has to be right; the unprivileged referee gives upper bounds only. */
  judged: boolean;
  right: boolean;
}

/** Real windows, to be drawn: moments in ms after the beginning. */
export interface Timeline {
  contestant: string;
  point: string;
  lengthMs: number;
  /** Of each target: pairs of the begin and end of the times in which it was not stopped. */
  runs: number[][];
}

export interface Entry {
  id: string;
  name: string;
  about: string;
  /** Why it did not take part. */
  missing?: string;
}

export interface Results {
  format: typeof resultsFormat;
  mode: string;
  host: Host;
  seconds: number;
  referee: string;
  entries: Entry[];
  gauges: Gauge[];
  /** Why the run must not be trusted; empty: it may. */
  unusable: string[];
  observations: Observation[];
  checks: CheckResult[];
  selfChecks: SelfCheck[];
  timelines: Timeline[];
  notes: string[];
}

/** Checks of the referee that it should have passed and did not: if there are any, nothing that it says may be believed. */
export function wrongChecks({ selfChecks }: Results): SelfCheck[] {
  return selfChecks.filter(({ judged, right }) => judged && !right);
}
