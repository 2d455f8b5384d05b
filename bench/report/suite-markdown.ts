/** The report as Markdown: the same figures as the page, without its plots. */
import { type Results, wrongChecks } from "../suite/results.js";
import { metric } from "./metrics.js";
import { sections } from "./sections.js";
import { losses, Summary } from "./summary.js";
import { table } from "./table.js";
import { percent, time, times } from "./units.js";

const windowMetrics = ["runErrorP50", "runErrorP99", "stopErrorP99", "duty", "cpu", "perSignal", "memory"];

export function suiteMarkdown(results: Results): string {
  const summary = new Summary(results);
  const { host } = results;
  const parts = [
    `# hobble bench ${host.hobble}, ${host.date.slice(0, 10)}, ${results.mode}`,
    `${host.cpus} × ${host.cpu}, Linux ${host.kernel}, Node ${host.node}. Referee: ${results.referee}.`,
    ...(wrongChecks(results).length > 0 ? ["**The referee failed its own check: nothing here may be believed.**"] : []),
    results.unusable.length > 0 ? `**Not to be trusted:** ${results.unusable.join("; ")}.` : "The host was quiet enough.",
    ...lossTable(summary),
    ...scenarioTables(summary, "windows", "Windows and cost", windowMetrics),
    ...sections.flatMap(({ scenario, title, drawn }) => scenarioTables(summary, scenario, title, drawn)),
    ...growth(summary),
    ...checks(summary),
    ...referee(results),
    "## Who took part",
    table(
      ["contestant", "what it is", "took part"],
      results.entries.map(({ name, about, missing }) => [name, about, missing === undefined ? "yes" : `no: ${missing}`]),
      3,
    ),
    ...(results.notes.length > 0 ? ["## Notes", results.notes.map((note) => `- ${note}`).join("\n")] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

function scenarioTables(summary: Summary, scenario: string, title: string, metricIds: readonly string[]): string[] {
  const blocks = summary.points(scenario).flatMap((point) => {
    const used = metricIds.filter((id) => summary.contestants(scenario, point, id).length > 0);
    if (used.length === 0) return [];
    const rows = summary.contestants(scenario, point).map((contestant) => [
      summary.name(contestant),
      ...used.map((id) => {
        const found = summary.estimate(scenario, point, contestant, id);
        const { format } = metric(id);
        return found === undefined ? "–" : `${format(found.value)} (${format(found.low)} … ${format(found.high)})`;
      }),
    ]);
    return [`### ${point}`, table(["contestant", ...used.map((id) => metric(id).title)], rows)];
  });
  return blocks.length === 0 ? [] : [`## ${title}`, ...blocks];
}

function lossTable(summary: Summary): string[] {
  const rows = losses(summary).map(({ scenario, point, metricId, ours, others }) => {
    const { title, format } = metric(metricId);
    const better = others.map(
      ({ who, theirs, ratio }) =>
        `${summary.name(who)} ${format(theirs.value)} (${Number.isFinite(ratio.value) ? times(ratio.value) : "free"})`,
    );
    return [`${title}, ${scenario === "windows" ? "" : `${scenario}, `}${point}`, format(ours.value), better.join("; ")];
  });
  const heading = "## Where hobble is not the best choice";
  if (rows.length === 0) return [heading, "Nowhere in what was measured here, beyond doubt."];
  return [heading, table(["figure", "hobble", "better"], rows, 3)];
}

function growth(summary: Summary): string[] {
  const contestants = [...new Set(summary.points("windows").flatMap((point) => summary.contestants("windows", point)))];
  const rows = contestants.flatMap((contestant) => {
    const fit = summary.growth("windows", contestant, "cpu", (point) => point.endsWith("idle"));
    return fit === undefined ? [] : [[summary.name(contestant), fit.value.toFixed(2), `${fit.low.toFixed(2)} … ${fit.high.toFixed(2)}`]];
  });
  return rows.length === 0
    ? []
    : ["## How the CPU grows with the number of sleeping targets, CPU ∝ N^x", table(["contestant", "x", "95 %"], rows)];
}

function checks(summary: Summary): string[] {
  const { checks: all } = summary.results;
  if (all.length === 0) return [];
  const names = [...new Set(all.map(({ check }) => check))];
  const who = [...new Set(all.map(({ contestant }) => contestant))];
  const rows = who.map((contestant) => [
    summary.name(contestant),
    ...names.map((name) => all.find((one) => one.contestant === contestant && one.check === name)?.outcome ?? ""),
  ]);
  const reasons = all
    .filter(({ outcome }) => outcome !== "pass")
    .map(({ contestant, check, why }) => `- ${summary.name(contestant)}, ${check}: ${why}`);
  return ["## The functional suite", table(["contestant", ...names], rows), ...(reasons.length > 0 ? [reasons.join("\n")] : [])];
}

function referee({ selfChecks, gauges }: Results): string[] {
  const checked = selfChecks.map(({ referee: name, injectedNs, foundNs, worstNs, judged, right }) => [
    name,
    time(injectedNs),
    time(foundNs),
    time(worstNs),
    right ? "yes" : judged ? "NO" : "a bound",
  ]);
  const read = gauges.map(({ before, p50Ns, p99Ns, maxNs, steal, stealDuring, busy, by }) => [
    before,
    time(p50Ns),
    time(p99Ns),
    time(maxNs),
    percent(steal),
    stealDuring === undefined ? "–" : percent(stealDuring),
    percent(busy),
    by,
  ]);
  return [
    ...(checked.length > 0 ? ["## Is the referee right?", table(["referee", "injected", "found", "worst single", "right"], checked)] : []),
    "## How quiet was the host?",
    table(["before", "p50", "p99", "max", "steal", "steal in it", "busy", "by"], read),
  ];
}
