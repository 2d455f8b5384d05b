/** CPU time of targets, by the scheduler's own count. */
import { readFileSync } from "node:fs";
import { cpuTimeNs } from "../referee/accounting.js";

/** Of all their threads, ns; those that have gone count nothing. */
export function targetsCpuNs(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    try {
      total += isThreaded(pid) ? cpuTimeNs(pid) : Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ", 1)[0]);
    } catch {
      // Gone.
    }
  }
  return total;
}

function isThreaded(pid: number): boolean {
  return !/^Threads:\s+1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
