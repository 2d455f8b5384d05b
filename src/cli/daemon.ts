/** `hobble daemon`: looks at what runs, decides by its rules, hobbles, and answers on its socket. */
import type { Command } from "commander";
import { exitCodesHelp } from "./exit.js";

export interface DaemonFlags {
  config?: string;
  user?: true;
  socket?: string;
}

export const systemConfiguration = "/etc/hobble/hobble.toml";

const help = `
It answers on its socket: see hobble ls, explain, off, top and the others. Signals: SIGHUP reads the configuration again, SIGUSR2 switches everything
off at once (hobble on goes on), SIGTERM ends it; everything runs then.

Examples:
  hobble check /etc/hobble/hobble.toml       what is wrong with a configuration, and what it would do
  hobble daemon -c /etc/hobble/hobble.toml
  hobble daemon --user                       for one's own processes, without root
${exitCodesHelp}`;

export function daemonCommand(program: Command): void {
  program
    .command("daemon")
    .summary("hobble by rules, unattended")
    .description("Looks at the processes every few seconds, hobbles those that its rules are about, and can say why.")
    .option(
      "-c, --config <file>",
      `configuration (default: ${systemConfiguration}; with --user ~/.config/hobble/hobble.toml, if there is one)`,
    )
    .option("--user", "a daemon of one's own, for one's own processes")
    .option("--socket <path>", "where it answers (default: as configured)")
    .addHelpText("after", help)
    .action(async (flags: DaemonFlags) => (await import("./daemon-run.js")).runDaemon(flags));
}
