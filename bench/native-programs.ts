/** The bench's C programs, compiled when they are first needed. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";

type Program = "herd" | "bareloop" | "bystander" | "spender" | "synthetic" | "worker" | "reuse" | "churn";

/** Root of the repository, seen from build-bench/. */
export const repository = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where we may write: here in a clone, in the user's cache where the package is installed for all. */
function binaryFolder(): string {
  const here = `${repository}/build-bench`;
  try {
    accessSync(here, constants.W_OK);
    return here;
  } catch {
    const cache = `${process.env.XDG_CACHE_HOME ?? `${homedir()}/.cache`}/hobble-bench`;
    mkdirSync(cache, { recursive: true });
    return cache;
  }
}

/** The C compiler, such as "ccache gcc". */
export function compilerWords(): string[] {
  return (process.env.CC ?? "cc").split(" ");
}

/** Path of the compiled program. @throws Error where there is no C compiler. */
export function nativeProgram(name: Program): string {
  const source = `${repository}/bench/native/${name}.c`;
  const binary = `${binaryFolder()}/${name}`;
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    const [compiler = "cc", ...words] = compilerWords();
    execFileSync(compiler, [...words, "-O2", "-pthread", "-Wall", "-Wextra", "-o", binary, source], { stdio: "inherit" });
  }
  return binary;
}

type EngineProgram = "lease-fuzz" | "lease-cost";

/**
 * Path of a program that is compiled with parts of the engine.
 *
 * @param parts names of files in native/engine
 * @param variant a suffix, where flags make different programs of one source
 */
export function sourceProgram(name: EngineProgram, parts: readonly string[], flags: readonly string[], variant = ""): string {
  const sources = [`${repository}/bench/native/${name}.cc`, ...parts.map((part) => `${repository}/native/engine/${part}.cc`)];
  const binary = `${repository}/build-bench/${name}${variant}`;
  const newest = Math.max(...[...sources, ...headers()].map((path) => statSync(path).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary;
  const [compiler = "c++", ...words] = (process.env.CXX ?? "c++").split(" ");
  const warnings = ["-Wall", "-Wextra", "-Wno-missing-field-initializers"];
  const args = ["-std=c++20", "-O2", ...warnings, ...flags, `-I${repository}/native`, "-o", binary, ...sources, "-lpthread"];
  execFileSync(compiler, [...words, ...args], { stdio: "inherit" });
  return binary;
}

const headers = () =>
  readdirSync(`${repository}/native/engine`).flatMap((name) => (name.endsWith(".h") ? `${repository}/native/engine/${name}` : []));
