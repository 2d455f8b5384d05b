/** `hobble show`: one target. */
import type { Command } from "commander";
import { parsePid } from "./cycle-options.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { formatFacts } from "./output.js";
import { print, printJson } from "./streams.js";
import { targetFacts } from "./target-text.js";

export function showCommand(program: Command): void {
  const command = program.command("show").summary("show one target of the daemon").argument("<pid>", "the target");
  addClientOptions(command).action(async (word: string, flags: ClientFlags) => {
    const pid = parsePid(word);
    const target = await withClient(flags, (client) => client.target(pid));
    if (flags.json) printJson(target);
    else print(`${formatFacts(targetFacts(target)).join("\n")}\n`);
  });
}
