/** Where the processes to hobble come from. */
import type { ProcessInfo } from "./process-info.js";

export interface Candidate {
  pid: number;
  /** Inode of a pidfd, where the source looked at the process itself. */
  inode?: bigint;
  /** Clock ticks after boot, likewise. */
  startTime?: number;
}

export interface Source<Found extends Candidate = Candidate> {
  /**
   * The processes that should be hobbled now, or that rules may choose from. Each PID once.
   *
   * @throws Error with a message for the operator when that cannot be told; what was listed before stays in force then.
   */
  list(): Promise<Found[]>;
}

/** What a pass found and cost. */
export interface ScanFigures {
  processes: number;
  /** Processes that are listed but may not be looked at. */
  hidden: number;
  /** Single facts (an executable, say) that may not be read. */
  unreadable: number;
  /** Processes that were read; the others could not have changed. */
  read: number;
  /** CPU time, where the source knows it. */
  cpuNs: number;
}

/** A source of everything that runs, with what rules ask for. */
export interface ProcessSource extends Source<ProcessInfo> {
  readonly name: string;
  /** Of the last pass. */
  readonly figures: ScanFigures;
  /** Everything as of the last pass, by PID. */
  readonly processes: ReadonlyMap<number, ProcessInfo>;
  /** Looks at these only; where a source can. */
  look?(pids: readonly number[]): Promise<ProcessInfo[]>;
}
