/** `hobble rm`: lifts targets. */
import type { Command } from "commander";
import { parsePid } from "./cycle-options.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { exitCodeOf } from "./exit.js";
import { print, printError, printJson } from "./streams.js";

const examples = `
What a rule or an admin imposed can only be lifted with admin rights. A rule takes the process again only when it has not matched for once.
`;

export function rmCommand(program: Command): void {
  const command = program
    .command("rm")
    .summary("lift a target of the daemon")
    .description("Lifts targets: when it ends their processes run.")
    .argument("<pid...>", "the targets");
  addClientOptions(command, examples).action(remove);
}

async function remove(words: string[], flags: ClientFlags): Promise<void> {
  const pids = words.map(parsePid);
  await withClient(flags, async (client) => {
    for (const pid of pids) {
      try {
        await client.remove(pid);
        if (flags.json) printJson({ event: "released", pid });
        else print(`lifted ${pid}\n`);
      } catch (error) {
        printError((error as Error).message);
        process.exitCode = exitCodeOf(error);
      }
    }
  });
}
