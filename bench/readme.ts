/**
 * Writes the figures in README.md and docs/benchmarks.md from the reference run: `npm run bench:figures`. A test fails when they differ, so that no
 * figure there can be older than the run that it is from, or made up.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { repository } from "./native-programs.js";
import { experimentFigures, readmeFigures, replaceFigures } from "./report/readme-figures.js";
import { readResults } from "./suite/store.js";

const results = readResults(`${repository}/bench/reference/reference.json`);

function rewrite(path: string, name: string, figures: string): void {
  const file = `${repository}/${path}`;
  writeFileSync(file, replaceFigures(readFileSync(file, "utf8"), name, figures));
}

rewrite("README.md", "figures", readmeFigures(results));
rewrite("docs/benchmarks.md", "experiment", experimentFigures(results));
