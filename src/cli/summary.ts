/** What `attach` and `demo` say at their end. */
import type { HobblerStats } from "../stats.js";
import { formatNs, formatQuantiles, formatScheduler, formatShare, plural } from "./output.js";

/** CPU time that this whole process used, as a share of one CPU. */
export function processCpuShare(elapsedNs: number, since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return ((user + system) * 1e3) / elapsedNs;
}

export function engineFacts(stats: HobblerStats, processShare: number): [string, string][] {
  const engineShare = (stats.cpuNs + stats.scoutCpuNs) / stats.elapsedNs;
  return [
    ["signals", `${stats.signals} in ${formatNs(stats.elapsedNs)}, ${plural(stats.wakeups, "wake-up")}`],
    ["windows", `${stats.skippedWindows} skipped, ${stats.deferredWindows} deferred`],
    ["run window error", formatQuantiles(stats.runError)],
    ["stop window error", formatQuantiles(stats.stopError)],
    ["lateness", formatQuantiles(stats.lateness)],
    ["own CPU", `engine ${formatShare(engineShare)} of a CPU, the whole process ${formatShare(processShare)}`],
    ["timer thread", `${formatScheduler(stats)}, signals by ${stats.signalMethod}`],
  ];
}
