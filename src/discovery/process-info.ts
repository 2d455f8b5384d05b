/** A process as rules see it. */
import type { Candidate } from "./source.js";

/** What a source may be asked to read beyond PIDs, times and counts. Each costs about as much as everything else together. */
export type ProcessText = "user" | "groups" | "executable" | "commandLine" | "cgroup";

export interface ProcessInfo extends Candidate {
  readonly pid: number;
  /** Clock ticks after boot. */
  readonly startTime: number;
  readonly inode?: bigint;
  readonly parentPid: number;
  readonly processGroup: number;
  readonly session: number;
  /** As /proc/PID/comm has it. */
  readonly name: string;
  /** Real user; -1 and "" where that was not asked for or may not be read, likewise the other texts. */
  readonly uid: number;
  readonly user: string;
  /** Names of its primary and supplementary groups. */
  readonly groups: string;
  readonly executable: string;
  readonly commandLine: string;
  readonly cgroup: string;
  /** "R", "S", "Z", …; see proc_pid_stat(5). */
  readonly state: string;
  readonly threads: number;
  readonly nice: number;
  readonly residentBytes: number;
  /** CPU time it has spent; -1 where the source does not know. */
  readonly cpuNs: number;
  /** CPU time of the children that it has waited for, and of those they had waited for. */
  readonly waitedNs: number;
  /** Time after boot (CLOCK_BOOTTIME, as `startTime`) at the moment that `cpuNs` was read. */
  readonly readAtNs: number;
  /** Counts up whenever something changes that usually does not: a text, its parent, its user, group or session. */
  readonly version: number;
}
