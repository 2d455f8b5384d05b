/** What the kernel says a contestant costs, and how quiet the host was meanwhile. */
import { readdirSync, readFileSync } from "node:fs";

/** CPU time of a process with all its living threads, ns (schedstat: time on a CPU as the scheduler counted it, not sampled). */
export function cpuTimeNs(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]);
  }
  return total;
}

/** Resident memory, bytes. */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Clock ticks of all CPUs since boot. */
export interface HostTicks {
  total: number;
  /** Taken by the hypervisor. */
  steal: number;
  idle: number;
}

export function hostTicks(): HostTicks {
  const [, line = ""] = /^cpu\s+(.*)$/m.exec(readFileSync("/proc/stat", "utf8")) ?? [];
  // guest and guest_nice, the 9th and 10th, are in user and nice already.
  const ticks = line.split(" ").map(Number).slice(0, 8);
  return { total: ticks.reduce((a, b) => a + b, 0), steal: ticks[7] ?? 0, idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
}

/** Shares of all CPU time between two readings. */
export function hostShares(before: HostTicks, after: HostTicks): { steal: number; idle: number } {
  const total = after.total - before.total;
  return { steal: (after.steal - before.steal) / total, idle: (after.idle - before.idle) / total };
}
