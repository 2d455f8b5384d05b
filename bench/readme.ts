/**
 * Writes the README's figures from the reference run: `node build-bench/readme.js`. With `--check` it changes nothing and fails when they differ,
 * so that no figure there can be older than the run that it is from, or made up.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { repository } from "./native-programs.js";
import { readmeFigures, replaceFigures } from "./report/readme-figures.js";
import { readResults } from "./suite/store.js";

const file = `${repository}/README.md`;
const before = readFileSync(file, "utf8");
const after = replaceFigures(before, readmeFigures(readResults(`${repository}/bench/reference/reference.json`)));
if (!process.argv.includes("--check")) {
  writeFileSync(file, after);
} else if (after !== before) {
  process.stderr.write("the figures in README.md are not those of bench/reference/reference.json: run node build-bench/readme.js\n");
  process.exitCode = 1;
}
