/** The figures in README.md and docs/benchmarks.md, from a run of the suite. */
import type { Estimate } from "../statistics/bootstrap.js";
import type { Results } from "../suite/results.js";
import { metric } from "./metrics.js";
import { losses, Summary } from "./summary.js";
import { table } from "./table.js";
import { percent } from "./units.js";

interface Row {
  words: string;
  scenario: string;
  point: string;
  metricId: string;
}

const rows: readonly Row[] = [
  { words: "1,000 busy: run-window error, p50", scenario: "windows", point: "1,000 busy", metricId: "runErrorP50" },
  { words: "1,000 busy: run-window error, p99", scenario: "windows", point: "1,000 busy", metricId: "runErrorP99" },
  { words: "100 busy: run-window error, p99", scenario: "windows", point: "100 busy", metricId: "runErrorP99" },
  { words: "1,000 busy: CPU of the contestant", scenario: "windows", point: "1,000 busy", metricId: "cpu" },
  { words: "200 sleeping: CPU", scenario: "experiment", point: "200 processes", metricId: "cpu" },
  { words: "200 sleeping trees: CPU", scenario: "experiment", point: "200 trees", metricId: "cpu" },
  { words: "10,000 sleeping: CPU", scenario: "windows", point: "10,000 idle", metricId: "cpu" },
  { words: "10,000 sleeping: run-window error, p99", scenario: "windows", point: "10,000 idle", metricId: "runErrorP99" },
  { words: "limit of 5 %: CPU got / asked", scenario: "limits", point: "5 % of one CPU", metricId: "limitOff" },
  { words: "beside 100 busy: compilations a minute", scenario: "bystanders", point: "100 busy", metricId: "compiles" },
  { words: "CPU given back for each CPU taken", scenario: "benefit", point: "20 busy", metricId: "benefit" },
  { words: "left stopped after SIGKILL", scenario: "recovery", point: "20 busy", metricId: "leftStopped" },
  { words: "memory with 1,000 targets", scenario: "startup", point: "1,000 idle", metricId: "memory" },
];

const columns = ["hobble", "hobble-limit", "asyncio", "threads", "cpulimit", "quota-v1", "bare loop"];

/** Markdown between the two marks. */
export function readmeFigures(results: Results): string {
  const summary = new Summary(results);
  const shown = columns.filter((id) =>
    rows.some(({ scenario, point, metricId }) => summary.estimate(scenario, point, id, metricId) !== undefined),
  );
  const cell = (row: Row, id: string) => {
    const found: Estimate | undefined = summary.estimate(row.scenario, row.point, id, row.metricId);
    return found === undefined ? "" : metric(row.metricId).format(found.value);
  };
  const lines = rows
    .map((row) => [row.words, ...shown.map((id) => cell(row, id))])
    .filter(([, ...cells]) => cells.some((text) => text !== ""));
  const { host } = results;
  const beaten = losses(summary).length;
  return [
    `${host.cpus} × ${host.cpu}, Linux ${host.kernel}, Node ${host.node}, ${host.date.slice(0, 10)}; medians of ${Math.max(...results.observations.map(({ round }) => round)) + 1} rounds in which all took turns.`,
    "",
    table(["", ...shown.map((id) => summary.name(id))], lines),
    "",
    `In ${beaten} of the figures of that run somebody else was better than hobble beyond doubt; the report names each.`,
  ].join("\n");
}

/** CPU that the experiment of 2015 found, in percent of one CPU. */
const experimentCpu: Record<string, string> = { asyncio: "85.4 %", gevent: "100.4 %", threads: "172.8 %" };

/** The experiment's own table beside today's figures. */
export function experimentFigures(results: Results): string {
  const summary = new Summary(results);
  const cpu = (point: string, id: string) => {
    const found = summary.estimate("experiment", point, id, "cpu");
    return found === undefined ? "" : `${percent(found.value)} (${percent(found.low)} … ${percent(found.high)})`;
  };
  const duty = (id: string) => {
    const found = summary.estimate("experiment", "200 trees", id, "duty");
    return found === undefined ? "" : percent(found.value);
  };
  const ids = [...new Set(["200 processes", "200 trees"].flatMap((point) => summary.contestants("experiment", point, "cpu")))];
  const lines = ids.map((id) => [summary.name(id), experimentCpu[id] ?? "", cpu("200 trees", id), duty(id), cpu("200 processes", id)]);
  return table(["200 sleeping", "2015", "today, with trees", "duty (asked: 3.85 %)", "today, processes alone"], lines);
}

/** Puts figures between the two marks of that name. @throws Error where the marks are missing. */
export function replaceFigures(text: string, name: string, figures: string): string {
  const [begin, end] = ["begin", "end"].map((side) => `<!-- ${name} of bench/reference/reference.json: ${side} -->`) as [string, string];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`there is no place for the ${name}`);
  return `${text.slice(0, from)}${begin}\n${figures}\n${text.slice(to)}`;
}
