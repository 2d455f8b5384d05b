/**
 * What `hobble top` shows, as lines of text. Pure: targets, size and settings in, lines out. Only the rows that are visible are formatted, so that ten
 * thousand targets cost no more than fifty; sorting them takes some milliseconds, once for each reading.
 */
import { formatNs } from "../cli/output.js";
import { formatAchieved, formatAge, formatAsked, formatPercent, harmless } from "../cli/target-text.js";
import type { TargetReport } from "../daemon/supervisor.js";

export type SortKey = "pid" | "cpu" | "user" | "name" | "since" | "error" | "by";

export interface ViewSettings {
  sort: SortKey;
  reverse: boolean;
  /** Part of a name, user, rule or PID; "" = all. */
  filter: string;
  tree: boolean;
  /** Index of the row that is chosen. */
  chosen: number;
  /** Index of the first visible row. */
  scroll: number;
  /** What is typed after "/"; undefined while nothing is. */
  typing: string | undefined;
  help: boolean;
}

export interface Headline {
  readonly version: string;
  readonly off: boolean;
  readonly targets: number;
  /** Null where the caller may not read the daemon's figures. */
  readonly engine: {
    readonly cpuShare: number;
    readonly latenessP50Ns: number;
    readonly latenessP99Ns: number;
    readonly signalsPerSecond: number;
  } | null;
  readonly problem: string | undefined;
}

export interface Row {
  readonly target: TargetReport;
  readonly depth: number;
}

export const sortKeys: Readonly<Record<string, SortKey>> = { p: "pid", c: "cpu", u: "user", n: "name", s: "since", e: "error", r: "by" };

const order: Readonly<Record<SortKey, (a: TargetReport, b: TargetReport) => number>> = {
  pid: (a, b) => a.pid - b.pid,
  cpu: (a, b) => (b.cpu ?? -1) - (a.cpu ?? -1),
  user: (a, b) => compare(a.user, b.user),
  name: (a, b) => compare(a.name, b.name),
  since: (a, b) => b.sinceAt - a.sinceAt,
  error: (a, b) => b.runErrorP99Ns - a.runErrorP99Ns,
  by: (a, b) => compare(a.by, b.by),
};

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The rows in their order. */
export function rowsOf(targets: readonly TargetReport[], { sort, reverse, filter, tree }: ViewSettings): Row[] {
  const wanted = filter === "" ? [...targets] : targets.filter((target) => fits(target, filter.toLowerCase()));
  const sign = reverse ? -1 : 1;
  wanted.sort((a, b) => sign * order[sort](a, b) || a.pid - b.pid);
  return tree ? asTree(wanted) : wanted.map((target) => ({ target, depth: 0 }));
}

function fits({ pid, name, user, by }: TargetReport, filter: string): boolean {
  return (
    name.toLowerCase().includes(filter) ||
    user.toLowerCase().includes(filter) ||
    by.toLowerCase().includes(filter) ||
    String(pid).includes(filter)
  );
}

/** Children below their parents, as far as those are targets too. */
function asTree(targets: readonly TargetReport[]): Row[] {
  const known = new Set(targets.map(({ pid }) => pid));
  const children = new Map<number, TargetReport[]>();
  for (const target of targets) {
    const parent = known.has(target.parentPid) && target.parentPid !== target.pid ? target.parentPid : 0;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [target]);
    else siblings.push(target);
  }
  const rows: Row[] = [];
  // With a stack of its own: a chain of thousands must not overflow ours.
  const ahead: Row[] = (children.get(0) ?? []).map((target) => ({ target, depth: 0 })).reverse();
  for (let row = ahead.pop(); row !== undefined; row = ahead.pop()) {
    rows.push(row);
    const below = children.get(row.target.pid) ?? [];
    for (let at = below.length - 1; at >= 0; at--) {
      const target = below[at];
      if (target !== undefined) ahead.push({ target, depth: row.depth + 1 });
    }
    children.delete(row.target.pid);
  }
  return rows;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
  readonly key?: SortKey;
  /** Not shown on terminals that are narrower. */
  readonly from: number;
  cell(row: Row, now: number): string;
}

const columns: readonly Column[] = [
  { title: "PID", width: 7, right: true, key: "pid", from: 0, cell: ({ target }) => String(target.pid) },
  { title: "USER", width: 9, key: "user", from: 0, cell: ({ target }) => harmless(target.user) },
  {
    title: "NAME",
    width: 15,
    key: "name",
    from: 0,
    cell: ({ target, depth }) => `${"  ".repeat(Math.min(depth, 5))}${harmless(target.name)}`,
  },
  { title: "ASKED", width: 12, from: 0, cell: ({ target }) => formatAsked(target) },
  { title: "GOT", width: 5, right: true, from: 0, cell: ({ target }) => formatAchieved(target) },
  { title: "CPU", width: 5, right: true, key: "cpu", from: 0, cell: ({ target }) => formatPercent(target.cpu) },
  { title: "WINDOWS", width: 20, from: 110, cell: ({ target }) => timeline(target) },
  { title: "STATE", width: 8, from: 90, cell: ({ target }) => target.state },
  {
    title: "P99 ERR",
    width: 8,
    right: true,
    key: "error",
    from: 0,
    cell: ({ target }) => (target.cycles === 0 ? "-" : formatNs(target.runErrorP99Ns)),
  },
  { title: "SINCE", width: 5, right: true, key: "since", from: 100, cell: ({ target }, now) => formatAge(now - target.sinceAt) },
  { title: "BY", width: 14, key: "by", from: 0, cell: ({ target }) => harmless(target.by) },
  { title: "WHY", width: 60, from: 150, cell: ({ target }) => harmless(target.reason) },
];

const timelineCells = 20;

/** One period as it is asked for: "#" runs, "." is stopped. A limit has no fixed windows: the share that it used. */
export function timeline({ runNs, stopNs, limit, cpu, dutyAchieved }: TargetReport): string {
  const share = runNs !== null && stopNs !== null ? (dutyAchieved ?? runNs / (runNs + stopNs)) : limit !== null ? Math.min(1, cpu ?? 0) : 0;
  const running = share <= 0 ? 0 : Math.min(timelineCells, Math.max(1, Math.round(share * timelineCells)));
  return "#".repeat(running) + ".".repeat(timelineCells - running);
}

const headLines = 3;
const footLines = 1;

export function visibleRows(height: number): number {
  return Math.max(1, height - headLines - footLines);
}

/** Keeps the chosen row within the rows, and in sight. */
export function follow(settings: ViewSettings, rows: number, height: number): void {
  const visible = visibleRows(height);
  settings.chosen = Math.max(0, Math.min(settings.chosen, rows - 1));
  settings.scroll = Math.max(0, Math.min(settings.scroll, rows - visible, settings.chosen));
  if (settings.chosen >= settings.scroll + visible) settings.scroll = settings.chosen - visible + 1;
}

export interface Line {
  readonly text: string;
  readonly style: "plain" | "title" | "heading" | "chosen" | "foot";
}

/** Exactly `height` lines, none wider than `width`. */
export function screen(
  rows: readonly Row[],
  settings: ViewSettings,
  headline: Headline,
  width: number,
  height: number,
  now: number,
): Line[] {
  const line = (text: string, style: Line["style"] = "plain"): Line => ({
    text: text.slice(0, width).padEnd(style === "plain" || style === "title" ? 0 : width),
    style,
  });
  const body = settings.help
    ? helpLines.map((text) => line(text))
    : rowLines(rows, settings, width, height, now).map(({ text, style }) => line(text, style));
  const visible = visibleRows(height);
  while (body.length < visible) body.push(line(""));
  const shown = columnsFor(width);
  const heading = shown
    .map((column) => cellText(column.title + (column.key === settings.sort ? (settings.reverse ? "^" : "v") : ""), column))
    .join(" ");
  return [
    line(titleOf(headline, rows.length), "title"),
    line(engineLine(headline)),
    line(heading, "heading"),
    ...body.slice(0, visible),
    line(footOf(settings), "foot"),
  ].slice(0, height);
}

function titleOf({ version, off, targets, problem }: Headline, shown: number): string {
  if (problem !== undefined) return `hobble: ${problem}`;
  const part = shown === targets ? "" : `, ${shown} shown`;
  return `hobble ${version}  ${off ? "OFF: everything runs freely" : "on"}  ${targets} target${targets === 1 ? "" : "s"}${part}`;
}

function engineLine({ engine }: Headline): string {
  if (engine === null) return "your own processes";
  const { cpuShare, latenessP50Ns, latenessP99Ns, signalsPerSecond } = engine;
  return `lateness p50 ${formatNs(latenessP50Ns)}, p99 ${formatNs(latenessP99Ns)}  ${Math.round(signalsPerSecond)} signals/s  timer ${formatPercent(cpuShare)} CPU`;
}

function footOf({ typing, filter, tree }: ViewSettings): string {
  if (typing !== undefined) return `/${typing}`;
  const parts = ["q quit", "h help", "/ filter", `t ${tree ? "list" : "tree"}`, "sort: p c u n s e r", "I reverse"];
  return ` ${parts.join("   ")}${filter === "" ? "" : `   filter: ${filter}`}`;
}

const helpLines = [
  "",
  "  arrows, PgUp, PgDn, Home, End   move",
  "  /                               filter by name, user, rule or PID; Enter keeps it, Esc clears it",
  "  t                               tree or list",
  "  p c u n s e r                   sort by PID, CPU, user, name, since, window error, rule; again: reverse",
  "  I                               reverse",
  "  q, Ctrl-C                       quit",
  "",
  "  GOT is the duty achieved, or the CPU used under a limit. WINDOWS shows how much of a period it runs (#).",
];

function rowLines(rows: readonly Row[], { scroll, chosen }: ViewSettings, width: number, height: number, now: number): Line[] {
  const shown = columnsFor(width);
  return rows.slice(scroll, scroll + visibleRows(height)).map((row, at) => ({
    text: shown.map((column) => cellText(column.cell(row, now), column)).join(" "),
    style: scroll + at === chosen ? "chosen" : "plain",
  }));
}

function columnsFor(width: number): readonly Column[] {
  return columns.filter(({ from }) => width >= from);
}

/**
 * What is surely one column wide everywhere, and stays where it is put; the rest as question marks. A program may call itself anything, and a line that is
 * wider than it looks would be drawn over its neighbours.
 */
function narrow(text: string): string {
  return text.replace(/[^ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u2013-\u2026\u2500-\u257f]/gu, "?");
}

function cellText(given: string, { width, right }: Column): string {
  const text = narrow(given);
  const cut = text.length > width ? text.slice(0, width) : text;
  return right ? cut.padStart(width) : cut.padEnd(width);
}
