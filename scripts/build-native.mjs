#!/usr/bin/env node
/**
 * Compiles the native addons with node-gyp into build/Release. It is the install script of the package, so it needs nothing but Node:
 * silent when all goes well, one sentence when the host lacks a tool, the whole output of the compiler when that fails.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Compiles only where C++20 and the headers of libc and of the kernel are there (Alpine ships the latter apart). */
const PROBE_SOURCE = "#include <concepts>\n#include <stdlib.h>\n#include <linux/version.h>\n";

/** @param {string} message @param {number} status @returns {never} */
function quit(message, status) {
  (status === 0 ? process.stdout : process.stderr).write(`hobble: ${message}\n`);
  process.exit(status);
}

/** @param {string} command A path or a name to look up in PATH; arguments after a space (`ccache g++`) are ignored. */
function findProgram(command) {
  const [program = ""] = command.split(" ");
  const candidates = program.includes("/") ? [program] : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function findCompiler() {
  const commands = process.env.CXX ? [process.env.CXX] : ["g++", "clang++", "c++"];
  return commands.find(findProgram);
}

/** @param {string} compiler */
function compilesCxx20(compiler) {
  const [program = "", ...args] = compiler.split(" ");
  return spawnSync(program, [...args, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"], { input: PROBE_SOURCE }).status === 0;
}

/** @param {string | undefined} compiler */
function missingTools(compiler) {
  const missing = [];
  if (compiler === undefined) missing.push("a C++ compiler");
  else if (!compilesCxx20(compiler)) missing.push(`C++20 and the Linux headers for ${compiler} (GCC 10 or Clang 12, or later)`);
  if (!findProgram("make")) missing.push("make");
  const { NODE_GYP_FORCE_PYTHON, npm_config_python, PYTHON } = process.env;
  if (!findProgram(NODE_GYP_FORCE_PYTHON ?? npm_config_python ?? PYTHON ?? "python3")) missing.push("Python 3");
  return missing;
}

/** The project's own node-gyp, else the one that npm brings along. */
function findNodeGyp() {
  try {
    return createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  } catch {
    return process.env.npm_config_node_gyp ?? findProgram("node-gyp");
  }
}

/** Headers that came with this very Node spare a download; node-gyp by itself does not look for them. */
function bundledHeaders() {
  const prefix = dirname(dirname(process.execPath));
  const header = join(prefix, "include/node/node_version.h");
  if (process.env.npm_config_nodedir || !existsSync(header)) return [];
  const text = readFileSync(header, "utf8");
  const version = ["MAJOR", "MINOR", "PATCH"].map((part) => text.match(`#define NODE_${part}_VERSION (\\d+)`)?.[1]).join(".");
  return version === process.versions.node ? [`--nodedir=${prefix}`] : [];
}

if (process.platform !== "linux") {
  quit(`it works on Linux only, so nothing was compiled on ${process.platform}; importing it works, using it throws ERR_UNSUPPORTED.`, 0);
}

const compiler = findCompiler();
const missing = missingTools(compiler);
if (missing.length > 0) {
  quit(
    `its native addons cannot be compiled without ${missing.join(" and ")}; install what is missing with ` +
      `"apt-get install g++ make python3" (Debian, Ubuntu), "dnf install gcc-c++ make python3" (Fedora) or ` +
      `"apk add g++ make python3 linux-headers" (Alpine).`,
    1,
  );
}

const nodeGyp = findNodeGyp();
if (nodeGyp === undefined) quit("its native addons cannot be compiled without node-gyp; install it with npm install --global node-gyp.", 1);

// Not "rebuild": make recompiles what changed, and what the flags changed for, so that an edit of one file costs one file.
const build = spawnSync(process.execPath, [nodeGyp, "configure", "build", "--jobs=max", ...bundledHeaders()], {
  cwd: packageRoot,
  env: { ...process.env, CXX: compiler },
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
});
if (build.status !== 0) {
  process.stderr.write(`${build.stdout}${build.stderr}`);
  quit("its native addons could not be compiled; the reason is above.", 1);
}
