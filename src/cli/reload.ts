/** `hobble reload`: the daemon reads its configuration again. */
import type { Command } from "commander";
import { formatProblem } from "./configuration-problems.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { ExitCode } from "./exit.js";
import { plural } from "./output.js";
import { print, printError, printJson } from "./streams.js";

export function reloadCommand(program: Command): void {
  const command = program
    .command("reload")
    .summary("have the daemon read its configuration again")
    .description("Has the daemon read its configuration again. If it has errors the old one stays in force.");
  addClientOptions(command).action(async (flags: ClientFlags) => {
    const result = await withClient(flags, (client) => client.reload());
    if (flags.json) printJson(result);
    else if (result.applied) print(`in force: ${plural(result.rules, "rule")}, ${plural(result.quotas, "quota")}\n`);
    for (const problem of flags.json ? [] : result.problems) printError(formatProblem(problem));
    if (!result.applied) {
      if (!flags.json) printError("the old configuration stays in force");
      process.exitCode = ExitCode.failure;
    }
  });
}
