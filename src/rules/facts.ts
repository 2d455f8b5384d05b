/** What conditions may ask beside the process itself. */
import type { ProcessInfo } from "../discovery/process-info.js";

export interface Facts {
  /** Time after boot, ns. */
  readonly nowNs: number;
  readonly processes: ReadonlyMap<number, ProcessInfo>;
  /** CPUs that a process used over the last `overNs` (0 = since the scan before); undefined while that is not known. */
  cpuShare(process: ProcessInfo, overNs: number): number | undefined;
  /** PIDs that a list (a cgroup.procs, a PID file) holds; undefined when it could never be read. */
  list(path: string): ReadonlySet<number> | undefined;
}
