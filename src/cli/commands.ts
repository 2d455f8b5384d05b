/** The subcommands. Only the one that is asked for is loaded: all of them together take longer than what most of them do. */
import type { Command } from "commander";

type Define = (program: Command) => void;

/** In the order of the help: what works by itself first, then the daemon and what talks to it. */
const commands: Readonly<Record<string, () => Promise<Define>>> = {
  attach: async () => (await import("./attach.js")).attachCommand,
  exec: async () => (await import("./exec.js")).execCommand,
  demo: async () => (await import("./demo.js")).demoCommand,
  release: async () => (await import("./release.js")).releaseCommand,
  doctor: async () => (await import("./doctor.js")).doctorCommand,
  bench: async () => (await import("./bench.js")).benchCommand,
  daemon: async () => (await import("./daemon.js")).daemonCommand,
  check: async () => (await import("./check.js")).checkCommand,
  status: async () => (await import("./status.js")).statusCommand,
  explain: async () => (await import("./explain.js")).explainCommand,
  ls: async () => (await import("./ls.js")).lsCommand,
  show: async () => (await import("./show.js")).showCommand,
  top: async () => (await import("./top.js")).topCommand,
  events: async () => (await import("./events.js")).eventsCommand,
  add: async () => (await import("./add.js")).addCommand,
  rm: async () => (await import("./rm.js")).rmCommand,
  off: async () => (await import("./off-on.js")).offCommand,
  on: async () => (await import("./off-on.js")).onCommand,
  reload: async () => (await import("./reload.js")).reloadCommand,
  stats: async () => (await import("./stats.js")).statsCommand,
  completion: async () => (await import("./completion.js")).completionCommand,
};

/** Makes those known that `words`, the command line, may be about. */
export async function defineCommands(program: Command, words: readonly string[]): Promise<void> {
  const [first = ""] = words;
  if (first === "--version" || first === "-V") return;
  // `completion` tells of all of them, and so does the help.
  const alone = first !== "completion" && Object.hasOwn(commands, first);
  for (const [name, load] of Object.entries(commands)) {
    if (!alone || name === first) (await load())(program);
  }
}
