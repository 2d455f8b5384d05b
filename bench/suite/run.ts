/** Runs the suite: gauge, scenario, gauge, scenario, … */
import { existsSync } from "node:fs";
import { monotonicNs } from "../clock.js";
import { allEntrants, type Entrant, inUsualPrecision } from "../contestants/entrants.js";
import { groupsMade } from "../contestants/session.js";
import { repository } from "../native-programs.js";
import { describeHost } from "../report/host.js";
import { isOurs } from "../report/summary.js";
import { closeLab, fail, openLab } from "./bench-lab.js";
import { type RunOrders, UsageError } from "./command.js";
import { thawAll } from "./groups.js";
import { gauge, reasonsAgainst, stolenDuring } from "./noise.js";
import { writeReports } from "./reports.js";
import { type Results, resultsFormat, wrongChecks } from "./results.js";
import { allScenarios } from "./scenarios.js";
import { joinResults, readResults, writeResults } from "./store.js";

export async function runSuite(orders: RunOrders, notes: readonly string[]): Promise<number> {
  const began = monotonicNs();
  const log = (line: string) => process.stderr.write(`[${((monotonicNs() - began) / 1e9).toFixed(0).padStart(4)} s] ${line}\n`);
  const entrants = chosen(orders);
  for (const { name, missing } of entrants) if (missing !== undefined) log(`left out: ${name}: ${missing}`);
  const lab = openLab(orders.effort, entrants, log);
  const endEarly = (signal: NodeJS.Signals) => {
    for (const groups of groupsMade) thawAll(groups);
    closeLab(lab);
    process.kill(process.pid, signal);
  };
  process.once("SIGINT", endEarly).once("SIGTERM", endEarly).once("SIGHUP", endEarly);
  const gauges = [];
  try {
    for (const scenario of allScenarios.filter(({ name }) => orders.scenarios.includes(name))) {
      const before = await gauge(scenario.name);
      // What the others found is not lost with it.
      const stealDuring = await stolenDuring(() => scenario.run(lab).catch((error) => fail(lab, scenario.name, error)));
      gauges.push({ ...before, stealDuring });
    }
    gauges.push(await gauge("the end"));
  } finally {
    closeLab(lab);
  }
  const host = describeHost();
  const results: Results = {
    format: resultsFormat,
    mode: orders.effort.name,
    host,
    seconds: (monotonicNs() - began) / 1e9,
    referee: lab.signals.name,
    entries: entrants.map(({ id, name, about, missing }) => ({ id, name, about, ...(missing !== undefined && { missing }) })),
    gauges,
    unusable: reasonsAgainst(gauges),
    ...lab.found,
    notes: [...notes, ...lab.found.notes],
  };
  const path = orders.into ?? `${resultsFolder()}/${orders.effort.name}-${host.date.replaceAll(":", "-")}.json`;
  const whole = orders.into !== undefined && existsSync(path) ? joinResults(readResults(path), results) : results;
  const order = allEntrants().map(({ id }) => id);
  whole.entries.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  writeResults(path, whole);
  process.stdout.write(`${[path, ...writeReports(whole, path)].join("\n")}\n`);
  for (const reason of whole.unusable) process.stdout.write(`Not to be trusted: ${reason}\n`);
  const wrong = wrongChecks(whole);
  if (wrong.length > 0)
    process.stdout.write(`The referee is wrong about ${wrong.length} of its own checks: nothing it says may be believed.\n`);
  // Peers may fail what is asked of hobble: that is what the suite is for.
  const ownFailures = results.checks.filter(({ contestant, outcome }) => isOurs(contestant) && outcome === "fail");
  for (const { contestant, check, why } of ownFailures) process.stdout.write(`${contestant} failed: ${check}: ${why}\n`);
  for (const line of lab.failures) process.stdout.write(`Failed: ${line}\n`);
  return whole.unusable.length + wrong.length + ownFailures.length + lab.failures.length > 0 ? 1 : 0;
}

/** In a clone among its own; else here. */
function resultsFolder(): string {
  return existsSync(`${repository}/bench/tsconfig.json`) ? `${repository}/bench/results` : process.cwd();
}

function chosen({ contestants: ids, effort }: RunOrders): Entrant[] {
  const all = allEntrants();
  const unknown = ids?.find((id) => !all.some((one) => one.id === id));
  if (unknown !== undefined) throw new UsageError(`there is no contestant "${unknown}"; there are ${all.map(({ id }) => id).join(", ")}`);
  return all.filter((one) => ids?.includes(one.id) ?? (effort.precisions || inUsualPrecision(one)));
}
