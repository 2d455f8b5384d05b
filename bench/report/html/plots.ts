/** Plots that compare all contestants by one metric, and the table behind each. */
import type { Estimate } from "../../statistics/bootstrap.js";
import type { Metric } from "../metrics.js";
import { isOurs, type Summary } from "../summary.js";
import { times } from "../units.js";
import { dots } from "./dots.js";
import { escaped } from "./svg.js";

/** One plot for each point of the scenario. */
export function comparisonPlots(summary: Summary, scenario: string, metricId: string, metric: Metric): string {
  return summary
    .points(scenario, metricId)
    .map((point) => {
      const rows = summary.contestants(scenario, point, metricId).flatMap((contestant) => {
        const estimate = summary.estimate(scenario, point, contestant, metricId);
        return estimate === undefined ? [] : [{ contestant, name: summary.name(contestant), estimate }];
      });
      if (rows.length === 0) return "";
      const heading = `${metric.title}: ${point}`;
      return `<h3>${escaped(heading)}</h3>${dots(heading, rows, metric)}${figuresTable(summary, scenario, point, [metricId], { [metricId]: metric })}`;
    })
    .join("");
}

export function withInterval({ value, low, high }: Estimate, format: (value: number) => string): string {
  return `${format(value)}<small>${low === high ? "–" : `${format(low)} … ${format(high)}`}</small>`;
}

/** All figures of a point with their intervals and, against hobble, their ratios. Folded away: the plot tells it first. */
export function figuresTable(
  summary: Summary,
  scenario: string,
  point: string,
  metricIds: readonly string[],
  all: Record<string, Metric>,
): string {
  const rows = summary.contestants(scenario, point).flatMap((contestant) => {
    const cells = metricIds.flatMap((id) => {
      const estimate = summary.estimate(scenario, point, contestant, id);
      const format = all[id]?.format ?? String;
      const ratio = contestant === "hobble" ? undefined : summary.ratio(scenario, point, contestant, "hobble", id);
      const against = ratio === undefined || !Number.isFinite(ratio.value) ? "–" : withInterval(ratio, times);
      return [estimate === undefined ? "–" : withInterval(estimate, format), against];
    });
    if (cells.every((cell) => cell === "–")) return [];
    const name = escaped(summary.name(contestant));
    return [`<tr><td>${isOurs(contestant) ? `<b>${name}</b>` : name}</td>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`];
  });
  if (rows.length === 0) return "";
  const heads = metricIds.map((id) => `<th>${escaped(all[id]?.title ?? id)}</th><th>against hobble</th>`).join("");
  return `<details><summary>figures and intervals</summary><div class="scroll"><table><tr><th></th>${heads}</tr>${rows.join("")}</table></div></details>`;
}
