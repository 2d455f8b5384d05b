/** How figures read: one way for all commands. */
import type { HobblerStats, Quantiles } from "../stats.js";

/** Three significant digits and the unit that suits. */
export function formatNs(ns: number): string {
  const size = Math.abs(ns);
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${digits(ns / 1e3)} us`;
  if (size < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

export function formatShare(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? "-" : `${digits(share * 100)} %`;
}

export function formatQuantiles({ count, p50Ns, p90Ns, p99Ns, maxNs }: Quantiles): string {
  if (count === 0) return "none";
  return `p50 ${formatNs(p50Ns)}, p90 ${formatNs(p90Ns)}, p99 ${formatNs(p99Ns)}, max ${formatNs(maxNs)}`;
}

export function formatScheduler(stats: HobblerStats): string {
  if (stats.scheduler === "fifo") return `SCHED_FIFO ${stats.priority}`;
  const slice = stats.scheduler === "slice" ? `, slice ${formatNs(stats.sliceNs)}` : "";
  const why = stats.realtimeError === undefined ? "" : ` (no SCHED_FIFO: ${stats.realtimeError})`;
  return `ordinary${slice}${why}`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Rows of cells as aligned lines; the first row is the heading. The first column is aligned left, the others right. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map(() => 0);
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const lines: string[] = [];
  for (const row of rows) {
    let line = row[0]?.padEnd(widths[0] ?? 0) ?? "";
    for (let column = 1; column < row.length; column++) line += `  ${row[column]?.padStart(widths[column] ?? 0)}`;
    lines.push(line);
  }
  return lines;
}

/** Name and value lines, the values in one column. */
export function formatFacts(facts: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
