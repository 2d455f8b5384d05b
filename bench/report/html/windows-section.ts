/** Exactness and cost, which have plots of their own. */
import { metric, metrics } from "../metrics.js";
import type { Summary } from "../summary.js";
import { lines, type Series } from "./lines.js";
import { figuresTable } from "./plots.js";
import { ridges } from "./ridges.js";
import { escaped } from "./svg.js";
import { timelines } from "./timelines.js";

const scenario = "windows";
const exactness = ["runErrorP50", "runErrorP99", "stopErrorP99"];

/** Busy ones first: that is what hobbling is for. */
function pointsInOrder(summary: Summary): string[] {
  const weight = (point: string) => (point.endsWith("busy") ? 1e6 : point.endsWith("idle") ? 0 : 1e5) + summary.countAt(scenario, point);
  return summary.points(scenario, "runErrorP50").sort((a, b) => weight(b) - weight(a));
}

export function windowsSection(summary: Summary): string {
  const points = pointsInOrder(summary);
  if (points.length === 0) return "";
  const [first, ...others] = points.map((point) => exactnessOf(summary, point));
  return `<section><h2>How exact are the windows?</h2>
<p class="lede">Asked for: run 10 ms, stop 250 ms. How far the run windows were off, long or short, on a logarithmic axis: each step to the right is ten times as bad. The dot is the median, the bar the 99th percentile.</p>
${first}${timelinePlot(summary)}${others.length > 0 ? `<details><summary>${others.length === 1 ? "one more point" : `${others.length} more points`}</summary>${others.join("")}</details>` : ""}</section>`;
}

function exactnessOf(summary: Summary, point: string): string {
  const rows = summary.contestants(scenario, point, "runErrorP50").map((contestant) => ({
    contestant,
    name: summary.name(contestant),
    bins: summary.bins(scenario, point, contestant, "runErrorP50"),
  }));
  const plot = ridges(`Run-window errors, ${point}`, rows);
  return plot === "" ? "" : `<h3>${escaped(point)} targets</h3>${plot}${figuresTable(summary, scenario, point, exactness, metrics)}`;
}

const shown = ["hobble", "asyncio", "threads", "freezer-v2", "quota-v1"];

/** The point with most targets that is drawn legibly. */
function timelinePlot(summary: Summary): string {
  const { timelines: all } = summary.results;
  const points = [...new Set(all.map(({ point }) => point))].sort((a, b) => summary.countAt(scenario, b) - summary.countAt(scenario, a));
  const point = points.find((one) => summary.countAt(scenario, one) <= 200) ?? points[0];
  const drawn = shown.flatMap((id) => {
    const timeline = all.find((one) => one.contestant === id && one.point === point);
    return timeline === undefined ? [] : [{ timeline, name: summary.name(id) }];
  });
  if (point === undefined || drawn.length === 0) return "";
  return `<h3>What really happened</h3><p class="note">Some of the ${escaped(point)} targets, a row each; filled while not stopped. Even, narrow marks are what was asked for.</p>${timelines(`Windows of ${point} targets`, drawn)}`;
}

export function costSection(summary: Summary): string {
  const idle = summary.points(scenario, "cpu").filter((point) => point.endsWith("idle"));
  if (idle.length === 0) return "";
  return `<section><h2>What does it cost?</h2><p class="lede">CPU of the whole contestant, with all its threads and children, while its targets sleep. The dashed line is the floor: a loop of bare system calls to the same processes at the same rate.</p>
${costPlot(summary, "cpu", idle)}${costPlot(summary, "perSignal", idle)}${growthTable(summary)}</section>`;
}

function costPlot(summary: Summary, metricId: string, points: readonly string[]): string {
  const { title, format } = metric(metricId);
  const counted = points.filter((point) => summary.contestants(scenario, point, metricId).length > 0);
  if (counted.length < 2)
    return `<h3>${escaped(title)}, ${escaped(counted[0] ?? "")}</h3>${figuresTable(summary, scenario, counted[0] ?? "", [metricId], metrics).replace("<details>", "<details open>")}`;
  const contestants = [...new Set(counted.flatMap((point) => summary.contestants(scenario, point, metricId)))];
  const series: Series[] = contestants.map((contestant) => ({
    contestant,
    name: summary.name(contestant),
    floor: contestant.startsWith("bare loop"),
    points: counted
      .flatMap((point) => {
        const estimate = summary.estimate(scenario, point, contestant, metricId);
        // What was sent no signal cost infinitely much for each; a logarithmic axis has no place for it.
        return estimate === undefined || !(estimate.value > 0 && Number.isFinite(estimate.value))
          ? []
          : [{ count: summary.countAt(scenario, point), estimate }];
      })
      .sort((a, b) => a.count - b.count),
  }));
  const tables = counted.map(
    (point) =>
      `<h3>${escaped(point)}</h3>${figuresTable(summary, scenario, point, [metricId], metrics).replace("<details>", "<details open>")}`,
  );
  return `<h3>${escaped(title)}</h3>${lines(title, series, format, "sleeping targets")}<details><summary>figures and intervals</summary>${tables.join("")}</details>`;
}

function growthTable(summary: Summary): string {
  const contestants = [...new Set(summary.points(scenario).flatMap((point) => summary.contestants(scenario, point)))];
  const rows = contestants.flatMap((contestant) => {
    const fits = ["cpu", "memory"].map((id) => summary.growth(scenario, contestant, id, (point) => point.endsWith("idle")));
    if (fits.every((fit) => fit === undefined)) return [];
    const cells = fits.map((fit) =>
      fit === undefined ? "–" : `N<sup>${fit.value.toFixed(2)}</sup><small>${fit.low.toFixed(2)} … ${fit.high.toFixed(2)}</small>`,
    );
    return [`<tr><td>${escaped(summary.name(contestant))}</td>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`];
  });
  if (rows.length === 0) return "";
  return `<h3>How it grows</h3><p class="note">Exponents of a fit cost ∝ N<sup>x</sup> over the sleeping targets, with 95 % intervals: 1 is proportional, below 1 is cheaper by the dozen.</p><div class="scroll"><table><tr><th></th><th>CPU</th><th>memory</th></tr>${rows.join("")}</table></div>`;
}
