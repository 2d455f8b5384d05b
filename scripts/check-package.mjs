#!/usr/bin/env node
/**
 * Would the package work for the one who installs it? Packs it, compares the contents with what they must be, has the tarball examined
 * by publint and attw and the sources by knip, then installs it into an empty folder and uses it from there. Exits with 1 if any fails.
 */
import { deepStrictEqual } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectedContents, pack } from "./package-contents.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** @param {string} command @param {string[]} args @returns {string} What it printed; throws that if it fails. */
function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 300_000 });
  if (status !== 0) throw error ?? new Error(`${stdout}${stderr}`);
  return stdout.trim();
}

/** @param {string} name @param {string[]} args */
const tool = (name, ...args) => run(join(root, "node_modules/.bin", name), args);

const folder = mkdtempSync(join(tmpdir(), "hobble-package-"));
const { tarball, contents } = pack(folder);

function installAndUse() {
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--prefer-offline", tarball], folder);
  deepStrictEqual(run(join(folder, "node_modules/.bin/hobble"), ["--version"], folder), version);
  const use = "new Hobbler().close().then(() => console.log(typeof Hobbler))";
  deepStrictEqual(run(process.execPath, ["--input-type=module", "-e", `import { Hobbler } from "hobble"; ${use}`], folder), "function");
  deepStrictEqual(run(process.execPath, ["-e", `const { Hobbler } = require("hobble"); ${use}`], folder), "function");
}

/** @type {[string, () => unknown][]} */
const checks = [
  ["contents", () => deepStrictEqual(contents, expectedContents())],
  ["publint", () => tool("publint", "run", tarball, "--strict")],
  ["attw", () => tool("attw", tarball, "--profile", "esm-only")],
  ["knip", () => tool("knip")],
  ["install", installAndUse],
];

try {
  for (const [name, check] of checks) {
    try {
      check();
      console.log(`ok      ${name}`);
    } catch (error) {
      console.log(`FAILED  ${name}\n${/** @type {Error} */ (error).message}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
