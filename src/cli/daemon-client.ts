/** What the commands that talk to the daemon have in common. */
import type { Command } from "commander";
import { HobbleClient } from "../control/client.js";
import { systemSocketPath, userSocketPath } from "../control/paths.js";
import { daemonExitCodesHelp } from "./exit.js";

export interface ClientFlags {
  socket?: string;
  user?: true;
  json?: true;
}

export function addClientOptions(command: Command, examples = ""): Command {
  return command
    .option("--socket <path>", `where the daemon answers (default: $HOBBLE_SOCKET, or ${systemSocketPath})`)
    .option("--user", "ask one's own daemon (hobble daemon --user)")
    .option("--json", "JSON, for programs")
    .addHelpText("after", `${examples}${daemonExitCodesHelp}`);
}

/** Calls `work` with a client that is closed afterwards. */
export async function withClient<T>(flags: ClientFlags, work: (client: HobbleClient) => Promise<T>): Promise<T> {
  const { socket = process.env.HOBBLE_SOCKET ?? (flags.user ? userSocketPath() : systemSocketPath) } = flags;
  const client = new HobbleClient({ socket });
  try {
    return await work(client);
  } finally {
    client[Symbol.dispose]();
  }
}
