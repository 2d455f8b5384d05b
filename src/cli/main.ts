#!/usr/bin/env node
/** The command `hobble`. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { defineCommands } from "./commands.js";
import { ExitCode, exitCodeOf, exitCodesHelp } from "./exit.js";
import { print, printError, printText } from "./streams.js";

const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Record<string, string>;

const help = `
Examples:
  hobble demo                                           see it work
  hobble doctor                                         what this host allows
  hobble attach 4711 --run 10ms --stop 250ms            hobble a process
  hobble exec --run 20ms --stop 80ms -- make -j4        start a command hobbled
  hobble bench quick                                    measure it on this host
  hobble release                                        resume what a hobble that was killed left stopped

Durations have a unit: 500us, 10ms, 1.5s, 2m, 1h.
${exitCodesHelp}`;

const program = new Command("hobble")
  .description(description ?? "")
  .version(version ?? "")
  .addHelpText("after", help)
  .showHelpAfterError("(see --help)")
  // `hobble help attach | head` is no reason to crash.
  .configureOutput({ writeOut: print, writeErr: printText })
  .exitOverride();
try {
  await defineCommands(program, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said it already. It ends with 1 where the command line is wrong.
    process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  } else {
    printError(error instanceof Error ? error.message : String(error));
    process.exitCode = exitCodeOf(error);
  }
}
