/**
 * `npm run bench:instructions`: what the engine's hot paths cost, in instructions that callgrind counts. The same on a loaded host as on an idle
 * one, so that a regression fails the checks and noise never does.
 *
 *   npm run bench:instructions              fails when something takes more than the committed baseline allows
 *   npm run bench:instructions -- --accept  writes the baseline of this compiler
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { repository } from "./native-programs.js";

const things = ["heap", "histogram", "mailbox", "schedule", "budget"];
/** More than this against the baseline is a regression. Counts repeat exactly; compilers of one version differ a little in their patches. */
const allowedGrowth = 1.05;
const times = [1000, 11_000] as const;

const baselineFile = `${repository}/bench/reference/instructions.json`;
const compiler = (process.env.CXX ?? "g++").split(" ");

type Counts = Record<string, number>;

function compile(): string {
  const binary = `${repository}/build-bench/instructions`;
  const sources = ["bench/native/instructions.cc", "native/engine/schedule.cc", "native/engine/histogram.cc"].map(
    (path) => `${repository}/${path}`,
  );
  const [program = "g++", ...first] = compiler;
  execFileSync(program, [...first, "-std=c++20", "-O2", "-Wall", "-Wextra", `-I${repository}/native`, "-o", binary, ...sources], {
    stdio: "inherit",
  });
  return binary;
}

function instructions(binary: string, thing: string, count: number): number {
  const { stderr, status } = spawnSync("valgrind", ["--tool=callgrind", "--callgrind-out-file=/dev/null", binary, thing, String(count)], {
    encoding: "utf8",
  });
  const [, collected] = /Collected : (\d+)/.exec(stderr ?? "") ?? [];
  if (status !== 0 || collected === undefined) throw new Error(`callgrind failed on ${thing} (is valgrind installed?): ${stderr}`);
  return Number(collected);
}

function measure(): Counts {
  const binary = compile();
  const [few, many] = times;
  return Object.fromEntries(
    things.map((thing) => [thing, (instructions(binary, thing, many) - instructions(binary, thing, few)) / (many - few)]),
  );
}

/** Such as "g++ 12 x64": another compiler makes other code. */
function toolchain(): string {
  const [program = "g++", ...first] = compiler;
  const version = execFileSync(program, [...first, "-dumpfullversion"], { encoding: "utf8" }).trim();
  return `g++ ${version.split(".")[0]} ${process.arch}`;
}

function readBaselines(): Record<string, Counts> {
  return existsSync(baselineFile) ? (JSON.parse(readFileSync(baselineFile, "utf8")) as Record<string, Counts>) : {};
}

const baselines = readBaselines();
const chain = toolchain();
const counts = measure();
if (process.argv.includes("--accept")) {
  const rounded = Object.fromEntries(Object.entries(counts).map(([thing, count]) => [thing, Math.round(count * 10) / 10]));
  writeFileSync(baselineFile, `${JSON.stringify({ ...baselines, [chain]: rounded }, undefined, 2)}\n`);
}
const baseline = readBaselines()[chain];
if (baseline === undefined) console.log(`no baseline for ${chain}: counted, not judged (--accept writes one)`);
let regressed = 0;
for (const [thing, count] of Object.entries(counts)) {
  const before = baseline?.[thing];
  const worse = before !== undefined && count > before * allowedGrowth;
  if (worse) regressed++;
  const against = before === undefined ? "" : `, baseline ${before.toFixed(1)}${worse ? `: more than ${allowedGrowth} times as many` : ""}`;
  console.log(`${worse ? "FAIL" : "ok  "} ${thing}: ${count.toFixed(1)} instructions${against}`);
}
process.exitCode = regressed === 0 ? 0 : 1;
