/** `hobble ls`: the targets of the daemon. */
import type { Command } from "commander";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { formatTable } from "./output.js";
import { print, printJson } from "./streams.js";
import { targetCells, targetHeading } from "./target-text.js";

interface ListFlags extends ClientFlags {
  of?: string;
  by?: string;
  name?: string;
}

const examples = `
Of the columns, GOT is the duty achieved, or the CPU used under a limit; P99 ERR the window error that 99 % of the run windows stay below.

Examples:
  hobble ls
  hobble ls --of alice
  hobble ls --by tarpit --json
`;

export function lsCommand(program: Command): void {
  const command = program
    .command("ls")
    .summary("list what the daemon hobbles")
    .description("Lists the targets of the daemon; without admin rights those of one's own processes.")
    .option("--of <user>", "only processes of this user (name or uid)")
    .option("--by <name>", "only what this rule or quota, or this user by hand, imposed")
    .option("--name <text>", "only programs whose name contains this");
  addClientOptions(command, examples).action(list);
}

async function list(flags: ListFlags): Promise<void> {
  const targets = await withClient(flags, (client) => client.targets({ user: flags.of, by: flags.by, name: flags.name }));
  if (flags.json) {
    printJson({ targets });
    return;
  }
  const now = Date.now();
  const rows = [[...targetHeading], ...targets.map((target) => targetCells(target, now))];
  print(targets.length === 0 ? "nothing is hobbled\n" : `${formatTable(rows).join("\n")}\n`);
}
