/** What work costs this process. */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** Of this process and of the children it has waited for, ms; the children in ticks of 10 ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  const stat = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (user + system) / 1e3 + (Number(stat[13]) + Number(stat[14])) * 10;
}

export async function costMs(work: () => Promise<unknown>): Promise<number> {
  const before = cpuMs();
  await work();
  return cpuMs() - before;
}

/** By how much a timer of the event loop was late at most while `work` was under way: garbage collection and waits for a CPU count too. */
export async function longestDelayMs(work: () => Promise<unknown>): Promise<number> {
  const resolutionMs = 1;
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  await sleep(20);
  delays.reset();
  await work();
  await sleep(2 * resolutionMs);
  delays.disable();
  return delays.max / 1e6 - resolutionMs;
}
