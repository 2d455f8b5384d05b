#!/usr/bin/env node
/**
 * Makes `npm start` and `npm test` work as the very first command after a clone, and after every edit: installs the dependencies and
 * compiles the addons and the TypeScript, each only if it is not up to date. Silent, and done in about 80 ms, when nothing is to do.
 * `--force` compiles everything again. `--bench` compiles the benchmark suite too.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dependenciesInstalled, isFresh, remake } from "./freshness.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const force = process.argv.includes("--force");
const withBench = process.argv.includes("--bench");
const locked = process.argv.includes("--locked");

class StepFailed extends Error {}

/** Shows the output only if the program fails. @param {string[]} args Arguments of Node. */
function runNode(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new StepFailed(`${stdout}${stderr}`);
}

function installDependencies() {
  // npm tells its scripts where it lives; otherwise it is found by name. Dev dependencies also where NODE_ENV says "production".
  const args = ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith("npm-cli.js") ? [process.execPath, [npm]] : ["npm", []];
  const { status, stdout, stderr, error } = spawnSync(program, [...first, ...args], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new StepFailed(`${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
}

function compileAddons() {
  if (force) rmSync(join(root, "build"), { recursive: true, force: true });
  runNode([join(root, "scripts/build-native.mjs")]);
}

/** Compiled beside dist and swapped in whole: a failed compilation leaves the old one, a deleted source leaves no module behind. */
function compileTypeScript() {
  const dist = join(root, "dist");
  const fresh = join(root, "build/dist-new");
  const old = join(root, "build/dist-old");
  for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  runNode([join(root, "node_modules/typescript/bin/tsc"), "--project", "tsconfig.json", "--outDir", fresh]);
  chmodSync(join(fresh, "cli/main.js"), 0o755);
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

/** A source that was deleted leaves no module behind. */
function compileBench() {
  const folder = join(root, "build-bench");
  rmSync(folder, { recursive: true, force: true });
  runNode([join(root, "node_modules/typescript/bin/tsc"), "--project", "bench/tsconfig.json"]);
}

const addons = {
  root,
  inputs: ["binding.gyp", "native/engine", "native/guardian", "native/host", "scripts/build-native.mjs"],
  outputs: ["build/Release/hobble_engine.node", "build/Release/hobble_guardian", "build/Release/hobble_host.node"],
  stamp: "build/addons.sha256",
};
const modules = { root, inputs: ["src", "tsconfig.json"], outputs: ["dist/cli/main.js"], stamp: "build/modules.sha256" };
const bench = { root, inputs: ["bench", "src", "tsconfig.json"], outputs: ["build-bench/main.js"], stamp: "build/bench.sha256" };

const steps = [
  { doing: "installing dependencies", done: () => dependenciesInstalled(root), run: installDependencies },
  {
    doing: "compiling the native addons",
    done: () => process.platform !== "linux" || (!force && isFresh(addons)),
    run: () => remake(addons, compileAddons),
  },
  {
    doing: "compiling TypeScript",
    done: () => !force && isFresh(modules),
    run: () => remake(modules, compileTypeScript),
  },
  {
    doing: "compiling the benchmark",
    done: () => !withBench || (!force && isFresh(bench)),
    run: () => remake(bench, compileBench),
  },
];

/** One build at a time. The kernel drops the lock when its last holder ends, however it ends: no lock can be stale. */
function runAgainLocked() {
  const again = [process.execPath, fileURLToPath(import.meta.url), "--locked", ...process.argv.slice(2)];
  const { status, error } = spawnSync("flock", [join(root, "scripts"), ...again], { stdio: "inherit" });
  return error === undefined ? (status ?? 1) : undefined;
}

/** @returns {number} The exit status. */
function runSteps() {
  for (const { doing, done, run } of steps) {
    if (done()) continue;
    process.stderr.write(`hobble: ${doing} ...\n`);
    try {
      run();
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      process.stderr.write(`${error.message.trimEnd()}\nhobble: failed while ${doing}.\n`);
      return 1;
    }
  }
  return 0;
}

if (!steps.every(({ done }) => done())) {
  // A host without flock (another system than Linux) builds unlocked.
  const status = locked ? undefined : runAgainLocked();
  process.exitCode = status ?? runSteps();
}
