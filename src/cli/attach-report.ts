/** What `attach` tells while it runs and at its end: for people, or one JSON object a line for machines. */
import type { HobblerStats } from "../stats.js";
import { type CheckedTerms, cycleDuty } from "../terms.js";
import type { LimitAsked } from "./cycle-options.js";
import { LiveLines } from "./live.js";
import { formatFacts, formatNs, formatShare, plural } from "./output.js";
import { print, printError, printJson } from "./streams.js";
import { engineFacts } from "./summary.js";

export type AttachEvent =
  /** `pid` is 0 for a cgroup. */
  | { event: "hobbled" | "exit" | "released"; pid: number; cgroup?: string; kind: string }
  /** `pid` is a member of the target `target`. */
  | { event: "held"; target: number; pid: number; by: string }
  | { event: "unheld"; target: number; pid: number }
  /** `pid` is a member of the target `target`. */
  | { event: "evasion"; target: number; pid: number; evadedNs: number; share: number | undefined; answer: string; message: string }
  /** It was to be frozen, and is sent signals. */
  | { event: "unfrozen"; pid: number; cgroup?: string; message: string }
  | { event: "failed"; pid: number; cgroup?: string; code: string; message: string }
  | { event: "overload"; reason: string; message: string; stretch: number }
  /** Not about one target: a list that cannot be read, a shell that should be in the tree. */
  | { event: "warning"; message: string };

export interface AttachSummary {
  /** Targets that were hobbled, and that could not be. */
  hobbled: number;
  failed: number;
  terms: CheckedTerms;
  limit: LimitAsked | undefined;
  /** Share of one CPU that this whole process used. */
  processCpuShare: number;
  stats: HobblerStats;
}

export interface AttachReport {
  tell(event: AttachEvent): void;
  status(stats: HobblerStats): void;
  summary(summary: AttachSummary): void;
}

export const jsonReport: AttachReport = {
  tell: printJson,
  status() {},
  summary: ({ terms, limit, ...summary }) =>
    printJson({
      event: "summary",
      dutyAsked: cycleDuty(terms),
      ...(limit === undefined ? {} : { limitAsked: limit.cpus, limitShared: limit.shared, limitSpent: limitSpent(limit, summary.stats) }),
      ...summary,
    }),
};

/** What was spent of a limit, in CPUs: by all together where they share it, else by each on average. */
function limitSpent({ shared }: LimitAsked, { meteredNs, spentNs, elapsedNs }: HobblerStats): number | undefined {
  if (meteredNs === 0) return undefined;
  return spentNs / (shared ? elapsedNs : meteredNs);
}

export function textReport(): AttachReport {
  const live = new LiveLines();
  return {
    tell(event) {
      switch (event.event) {
        case "hobbled":
          break;
        case "exit":
        case "released":
          live.print(`${event.kind} ${event.cgroup ?? event.pid} ${event.event === "exit" ? "has exited" : "is off the list: released"}`);
          break;
        case "held":
          live.print(`process ${event.pid} is ${event.by === "tracer" ? "held by a debugger" : "stopped by somebody else"}: left alone`);
          break;
        case "unheld":
          live.print(`process ${event.pid} runs again: hobbled again`);
          break;
        case "failed":
          live.clear();
          printError(event.cgroup === undefined ? `${event.pid}: ${event.message}` : event.message);
          break;
        default:
          live.clear();
          printError(event.message);
      }
    },
    status(stats) {
      const { targets, members, signalsPerSecond, lateness, cpuShare } = stats;
      const counts = `${plural(targets, "target")} (${plural(members, "member")}), ${Math.round(signalsPerSecond)} signals/s`;
      live.show([`hobbling ${counts}, lateness p99 ${formatNs(lateness.p99Ns)}, own CPU ${formatShare(cpuShare)}`]);
    },
    summary({ hobbled, failed, terms, limit, processCpuShare, stats }) {
      live.clear();
      const targets = `${hobbled} hobbled${failed > 0 ? `, ${failed} not` : ""}`;
      const asked = cycleDuty(terms);
      const duty: [string, string][] =
        asked === undefined ? [] : [["duty", `asked ${formatShare(asked)}, achieved ${formatShare(stats.dutyAchieved)}`]];
      const spent: [string, string][] =
        limit === undefined
          ? []
          : [
              [
                limit.shared ? "limit of all" : "limit",
                `asked ${formatShare(limit.cpus)} of a CPU, spent ${formatShare(limitSpent(limit, stats))}`,
              ],
            ];
      const facts: [string, string][] = [["targets", targets], ...duty, ...spent, ...engineFacts(stats, processCpuShare)];
      for (const line of formatFacts(facts)) print(`${line}\n`);
    },
  };
}
