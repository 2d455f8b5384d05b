/** Where the processes to hobble come from. */

export interface Candidate {
  pid: number;
  /** Inode of a pidfd, where the source looked at the process itself. */
  inode?: bigint;
  /** Clock ticks after boot, likewise. */
  startTime?: number;
}

export interface Source {
  /**
   * The processes that should be hobbled now.
   *
   * @throws Error with a message for the operator when that cannot be told; what was listed before stays in force then.
   */
  list(): Promise<Candidate[]>;
}
