/** The bench's C programs, compiled when they are first needed. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

type Program = "herd" | "bareloop" | "bystander" | "spender" | "synthetic" | "worker";

/** Root of the repository, seen from build-bench/. */
export const repository = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Path of the compiled program. @throws Error where there is no C compiler. */
export function nativeProgram(name: Program): string {
  const source = `${repository}/bench/native/${name}.c`;
  const binary = `${repository}/build-bench/${name}`;
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    execFileSync(process.env.CC ?? "cc", ["-O2", "-pthread", "-Wall", "-Wextra", "-o", binary, source], { stdio: "inherit" });
  }
  return binary;
}
