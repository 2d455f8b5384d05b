/** `hobble bench`: the benchmark suite. A program of its own, so that the command does not carry it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { ExitCode } from "./exit.js";
import { printError } from "./streams.js";

const suite = fileURLToPath(new URL("../../build-bench/main.js", import.meta.url));

export function benchCommand(program: Command): void {
  program
    .command("bench")
    .summary("measure hobble and its alternatives on this host")
    .description("Measures hobble and its alternatives on this host, and writes a report. `hobble bench --help` tells more.")
    .argument("[arguments...]", "quick; compare BEFORE.json AFTER.json; report RESULTS.json; options")
    .allowUnknownOption()
    .helpOption(false)
    .action(bench);
}

async function bench(args: readonly string[]): Promise<void> {
  if (!existsSync(suite)) {
    printError("the benchmark is not compiled here; in a clone, use npm run bench");
    process.exitCode = ExitCode.failure;
    return;
  }
  const child = spawn(process.execPath, [suite, ...args], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both of us; the suite ends what it started.
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  const wait = () => {};
  process.on("SIGTERM", forward).on("SIGHUP", forward).on("SIGINT", wait);
  const [status] = (await once(child, "exit")) as [number | null];
  process.off("SIGTERM", forward).off("SIGHUP", forward).off("SIGINT", wait);
  process.exitCode = status ?? ExitCode.failure;
}
