/** The committed reference run, and what is said of it. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { experimentFigures, readmeFigures, replaceFigures } from "../bench/report/readme-figures.js";
import { readResults } from "../bench/suite/store.js";

const reference = readResults("bench/reference/reference.json");

describe("the reference run", () => {
  test("was made on a host that was quiet enough, by a referee that was right", () => {
    expect(reference.unusable).toEqual([]);
    const judged = reference.selfChecks.filter((check) => check.judged);
    expect(judged.length).toBeGreaterThan(0);
    expect(judged.every(({ right }) => right)).toBe(true);
  });

  test("says what the host was, and who did not take part", () => {
    expect(reference.host.kernel).not.toBe("");
    expect(reference.host.cpus).toBeGreaterThan(0);
    for (const { missing } of reference.entries) expect(missing).not.toBe("");
  });

  test("is what the figures in the documents are from", () => {
    const readme = readFileSync("README.md", "utf8");
    expect(replaceFigures(readme, "figures", readmeFigures(reference))).toBe(readme);
    const benchmarks = readFileSync("docs/benchmarks.md", "utf8");
    expect(replaceFigures(benchmarks, "experiment", experimentFigures(reference))).toBe(benchmarks);
  });

  test("has its report beside it", () => {
    expect(existsSync("bench/reference/reference.html")).toBe(true);
    expect(existsSync("bench/reference/reference.md")).toBe(true);
  });
});
