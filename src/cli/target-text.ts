/** How targets and decisions read, in lists and one by one. */
import type { Asked, Decision, TargetReport } from "../daemon/supervisor.js";
import { formatNs, formatShare } from "./output.js";

/** Anything may be in a program's name: nothing that controls a terminal, or the direction of what follows, reaches it. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

export function formatAsked({ runNs, stopNs, limit, pool }: Asked): string {
  const parts = [
    ...(runNs === null || stopNs === null ? [] : [`${formatWindow(runNs)}/${formatWindow(stopNs)}`]),
    ...(limit === null ? [] : [`<=${formatPercent(limit)}`]),
    ...(pool === null ? [] : [`@${harmless(pool)}`]),
  ];
  return parts.join(" ");
}

/** "10ms". */
function formatWindow(ns: number): string {
  if (ns < 1e6) return `${Math.round(ns / 1e3)}us`;
  if (ns < 1e9) return `${Number((ns / 1e6).toFixed(1))}ms`;
  return `${Number((ns / 1e9).toFixed(1))}s`;
}

/** "5%"; of one CPU. */
export function formatPercent(share: number | null): string {
  if (share === null) return "-";
  const percent = share * 100;
  return `${percent < 9.95 ? percent.toFixed(1).replace(/\.0$/, "") : Math.round(percent)}%`;
}

/** "3s", "5m", "2h", "4d". */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export function formatMoment(at: number): string {
  return new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

export function formatUntil(untilAt: number | null): string {
  return untilAt === null ? "open" : formatMoment(untilAt);
}

/** What of the duty, or of the limit, was kept to. */
export function formatAchieved({ limit, dutyAchieved, cpu }: TargetReport): string {
  return formatPercent(limit === null ? dutyAchieved : cpu);
}

export const targetHeading = ["PID", "USER", "NAME", "KIND", "ASKED", "GOT", "CPU", "STATE", "P99 ERR", "SINCE", "BY"] as const;

export function targetCells(target: TargetReport, now: number): string[] {
  return [
    String(target.pid),
    harmless(target.user),
    harmless(target.name),
    target.kind,
    formatAsked(target),
    formatAchieved(target),
    formatPercent(target.cpu),
    target.state,
    target.cycles === 0 ? "-" : formatNs(target.runErrorP99Ns),
    formatAge(now - target.sinceAt),
    harmless(target.by),
  ];
}

export function targetFacts(target: TargetReport): [string, string][] {
  const by = target.origin === "hand" ? `${harmless(target.by)}, by hand` : `${target.origin} "${harmless(target.by)}"`;
  return [
    ["process", `${target.pid} ${harmless(target.name)} of ${harmless(target.user)}`],
    ["hobbled as", `${target.kind}, ${target.members} member${target.members === 1 ? "" : "s"}, ${target.state}`],
    ["asked", formatAsked(target)],
    ["imposed by", `${by}${target.tier > 0 ? `, tier ${target.tier}` : ""}`],
    ["why", harmless(target.reason)],
    ["since", formatMoment(target.sinceAt)],
    ["until", formatUntil(target.untilAt)],
    ...(target.dutyAsked === null
      ? []
      : ([["duty", `${formatShare(target.dutyAchieved ?? undefined)} of ${formatShare(target.dutyAsked)} asked`]] as [string, string][])),
    ["CPU", `${formatPercent(target.cpu)} now, ${target.cpuSeconds === null ? "-" : target.cpuSeconds.toFixed(2)} s since`],
    ["windows", `${target.cycles} cycles, ${target.signals} signals, ${target.skippedWindows} skipped, ${target.deferredWindows} deferred`],
    ["window error", target.cycles === 0 ? "-" : `p99 ${formatNs(target.runErrorP99Ns)}`],
  ];
}

export function formatDecision({ at, kind, pid, name, user, by, reason, asked }: Decision): string {
  const about = pid === null ? "" : ` ${pid} ${harmless(name ?? "")}${user === null ? "" : ` (${harmless(user)})`}`;
  const terms = asked === null ? "" : ` ${formatAsked(asked)}`;
  return `${formatMoment(at)} ${kind}${about}${terms}${by === null ? "" : ` by ${harmless(by)}`}: ${harmless(reason)}`;
}
