/** Result files. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { reasonsAgainst } from "./noise.js";
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

/** Adds the findings of a run to those of an earlier one, for runs in several pieces; what both have is the later's. */
export function joinResults(earlier: Results, later: Results): Results {
  const gauges = [...earlier.gauges, ...later.gauges];
  return {
    ...later,
    seconds: earlier.seconds + later.seconds,
    entries: merged(earlier.entries, later.entries, ({ id }) => id),
    gauges,
    unusable: reasonsAgainst(gauges),
    observations: merged(earlier.observations, later.observations, ({ scenario, point, contestant }) =>
      [scenario, point, contestant].join("|"),
    ),
    checks: merged(earlier.checks, later.checks, ({ contestant, check }) => `${contestant}|${check}`),
    selfChecks: merged(earlier.selfChecks, later.selfChecks, ({ referee }) => referee),
    timelines: merged(earlier.timelines, later.timelines, ({ contestant, point }) => `${contestant}|${point}`),
    notes: [...new Set([...earlier.notes, ...later.notes])],
  };
}

function merged<One>(earlier: readonly One[], later: readonly One[], key: (one: One) => string): One[] {
  const replaced = new Set(later.map(key));
  return [...earlier.filter((one) => !replaced.has(key(one))), ...later];
}
