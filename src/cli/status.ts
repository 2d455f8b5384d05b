/** `hobble status`: am I hobbled, why, until when? */
import type { Command } from "commander";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { quotaLine } from "./explain.js";
import { print, printJson } from "./streams.js";
import { formatAsked, formatMoment, formatUntil, harmless } from "./target-text.js";

export function statusCommand(program: Command): void {
  const command = program
    .command("status")
    .summary("say whether one's own processes are hobbled, and why")
    .description("Says whether processes of one's own are hobbled, why and until when, and how one stands to the quotas.");
  addClientOptions(command).action(async (flags: ClientFlags) => {
    const status = await withClient(flags, (client) => client.status());
    if (flags.json) {
      printJson(status);
      return;
    }
    const { version, user, admin, off, targets, quotas } = status;
    const lines = [
      `hobble ${version}: ${off === null ? "on" : `off since ${formatMoment(off.sinceAt)}, by ${harmless(off.by)}: everything runs freely`}`,
      `you are ${harmless(user)}${admin ? ", an admin" : ""}; ${targets.length === 0 ? "nothing of yours is hobbled" : `hobbled of yours: ${targets.length}`}`,
      ...targets.map(
        (target) =>
          `  ${target.pid} ${harmless(target.name)}: ${formatAsked(target)} until ${formatUntil(target.untilAt)}, by ${harmless(target.by)}: ${harmless(target.reason)}`,
      ),
      ...quotas.map((quota) => `  quota ${quotaLine(quota)}`),
    ];
    print(`${lines.join("\n")}\n`);
  });
}
