/** `hobble release`: resumes what dead engines left stopped. */
import type { Command } from "commander";
import { type RecoveredProcess, type RecoveredTable, recover } from "../recovery.js";
import { ExitCode } from "./exit.js";
import { print, printError, printJson } from "./streams.js";

interface ReleaseFlags {
  dryRun?: boolean;
  json?: true;
  runtimeDir?: string;
}

const help = `
It is needed only when hobble and its guardian were killed at one stroke (kill -9 of both, cgroup.kill): whatever they held stopped at that moment
is resumed, children before their parents. What a living hobble holds is not touched, nor a process that somebody else stopped too.
The next hobble that starts does the same. As root, the processes of all users are looked after.

Examples:
  hobble release --dry-run            what is left?
  hobble release
  ExecStopPost=/usr/bin/hobble release    in the unit of a service that hobbles

Exit codes:
  0  done, also when nothing was left
  1  something could not be resumed
  2  usage: an option that cannot be right`;

export function releaseCommand(program: Command): void {
  program
    .command("release")
    .summary("resume what a hobble that was killed left stopped")
    .description("Resumes what hobble left stopped where it and its guardian were killed.")
    .option("--dry-run", "say what would be resumed, and touch nothing")
    .option("--json", "one JSON object: dryRun, resumed, failed, tables")
    .option("--runtime-dir <directory>", "look in this directory only")
    .addHelpText("after", help)
    .action(release);
}

function release({ dryRun = false, json, runtimeDir }: ReleaseFlags): void {
  const tables = recover({ dryRun, runtimeDir });
  const members = tables.flatMap((table) => table.members);
  const count = (result: RecoveredProcess["result"]) => members.filter((member) => member.result === result).length;
  if (json) {
    printJson({ dryRun, resumed: dryRun ? 0 : count("resumed"), failed: count("failed"), tables });
  } else {
    for (const table of tables) describe(table, dryRun);
    if (members.length === 0) print("nothing was left stopped\n");
  }
  process.exitCode = count("failed") === 0 ? ExitCode.ok : ExitCode.failure;
}

const ownerLives = "its owner lives";

function describe({ path, owner, ignored, members }: RecoveredTable, dryRun: boolean): void {
  if (ignored !== undefined) {
    if (ignored !== ownerLives) printError(`${path}: ${ignored.replace(`${path} `, "")}`);
    return;
  }
  const pids = (result: RecoveredProcess["result"]) =>
    members.filter((member) => member.result === result).map(({ pid, cgroup }) => cgroup ?? pid);
  const resumed = pids("resumed");
  if (resumed.length > 0) {
    print(`${dryRun ? "would resume" : "resumed"} what the hobble with PID ${owner} had left stopped: ${resumed.join(", ")}\n`);
  }
  const foreign = pids("foreign");
  if (foreign.length > 0) print(`left alone, because somebody else stopped them or a debugger holds them: ${foreign.join(", ")}\n`);
  for (const { pid, cgroup, result, error } of members) {
    if (result === "failed") printError(`${cgroup ?? `process ${pid}`} could not be resumed: ${error}`);
  }
}
