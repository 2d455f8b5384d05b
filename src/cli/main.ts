#!/usr/bin/env node
/** The command `hobble`. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addCommand } from "./add.js";
import { attachCommand } from "./attach.js";
import { benchCommand } from "./bench.js";
import { checkCommand } from "./check.js";
import { completionCommand } from "./completion.js";
import { daemonCommand } from "./daemon.js";
import { demoCommand } from "./demo.js";
import { doctorCommand } from "./doctor.js";
import { eventsCommand } from "./events.js";
import { execCommand } from "./exec.js";
import { ExitCode, exitCodeOf, exitCodesHelp } from "./exit.js";
import { explainCommand } from "./explain.js";
import { lsCommand } from "./ls.js";
import { offCommand, onCommand } from "./off-on.js";
import { releaseCommand } from "./release.js";
import { reloadCommand } from "./reload.js";
import { rmCommand } from "./rm.js";
import { showCommand } from "./show.js";
import { statsCommand } from "./stats.js";
import { statusCommand } from "./status.js";
import { printError } from "./streams.js";
import { topCommand } from "./top.js";

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
  .exitOverride();
for (const define of [attachCommand, execCommand, demoCommand, releaseCommand, doctorCommand, benchCommand]) define(program);
// The daemon, and what talks to it.
for (const define of [daemonCommand, checkCommand, statusCommand, explainCommand, lsCommand, showCommand, topCommand, eventsCommand])
  define(program);
for (const define of [addCommand, rmCommand, offCommand, onCommand, reloadCommand, statsCommand, completionCommand]) define(program);

try {
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
