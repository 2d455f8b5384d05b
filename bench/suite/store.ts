/** Result files. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Results, resultsFormat } from "./results.js";

/** @throws Error that names the file, where it is none of ours. */
export function readResults(path: string): Results {
  let results: Partial<Results>;
  try {
    results = JSON.parse(readFileSync(path, "utf8")) as Partial<Results>;
  } catch (error) {
    throw new Error(`${path} cannot be read as results of the bench: ${(error as Error).message}`);
  }
  if (results.format !== resultsFormat) {
    throw new Error(
      `${path} has the format ${results.format ?? "of something else"}; this version of the bench reads format ${resultsFormat}`,
    );
  }
  return results as Results;
}

/** Numbers are rounded to seven digits, which is more than they are worth. One observation a line, so that versions can be told apart. */
export function writeResults(path: string, { observations, ...rest }: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  const text = (value: unknown) => JSON.stringify(value, (_, inner) => (typeof inner === "number" ? Number(inner.toPrecision(7)) : inner));
  const lines = observations.map(text).join(",\n");
  writeFileSync(path, `${text(rest).slice(0, -1)},"observations":[\n${lines}\n]}\n`);
}

/** Adds the findings of a run to those of an earlier one, for runs in several pieces; scenarios that both have are the later's. */
export function joinResults(earlier: Results, later: Results): Results {
  const scenarios = new Set(later.observations.map(({ scenario }) => scenario));
  const keep = <One>(before: readonly One[], after: readonly One[]) => (after.length > 0 ? [...after] : [...before]);
  const gauges = [...earlier.gauges, ...later.gauges];
  return {
    ...later,
    seconds: earlier.seconds + later.seconds,
    gauges,
    unusable: [...new Set([...earlier.unusable, ...later.unusable])],
    observations: [...earlier.observations.filter(({ scenario }) => !scenarios.has(scenario)), ...later.observations],
    checks: keep(earlier.checks, later.checks),
    selfChecks: keep(earlier.selfChecks, later.selfChecks),
    timelines: keep(earlier.timelines, later.timelines),
    notes: [...new Set([...earlier.notes, ...later.notes])],
  };
}
