/** `hobble events`: what the daemon decided, and why. */
import type { Command } from "commander";
import { parsePid } from "./cycle-options.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { outputClosed, print, printJson } from "./streams.js";
import { formatDecision } from "./target-text.js";

interface EventFlags extends ClientFlags {
  follow?: true;
  pid?: string;
}

export function eventsCommand(program: Command): void {
  const command = program
    .command("events")
    .summary("what the daemon decided, and why")
    .description("Prints the decisions that the daemon remembers, oldest first; without admin rights those on one's own processes.")
    .option("-f, --follow", "go on as they come")
    .option("--pid <pid>", "only those on this process");
  addClientOptions(command).action(events);
}

async function events(flags: EventFlags): Promise<void> {
  const pid = flags.pid === undefined ? undefined : parsePid(flags.pid);
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => abort.abort());
  void outputClosed().then(() => abort.abort());
  await withClient(flags, async (client) => {
    for await (const decision of client.events({ follow: flags.follow, pid, signal: abort.signal })) {
      if (flags.json) printJson(decision);
      else print(`${formatDecision(decision)}\n`);
    }
  });
}
