/** `hobble off` and `hobble on`: the big red button, and back. */
import type { Command } from "commander";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { print, printJson } from "./streams.js";

export function offCommand(program: Command): void {
  const command = program
    .command("off")
    .summary("let everything run, at once")
    .description(
      "Lets everything run at once, and keeps it so until hobble on, also over a restart of the daemon. SIGUSR2 to the daemon does the same.",
    );
  addClientOptions(command).action(async (flags: ClientFlags) => {
    await withClient(flags, (client) => client.off());
    if (flags.json) printJson({ off: true });
    else print("off: everything runs freely\n");
  });
}

export function onCommand(program: Command): void {
  const command = program.command("on").summary("go on hobbling after off");
  addClientOptions(command).action(async (flags: ClientFlags) => {
    await withClient(flags, (client) => client.on());
    if (flags.json) printJson({ off: false });
    else print("on\n");
  });
}
