/** `hobble add`: hobbles a process by hand, through the daemon. */
import type { Command } from "commander";
import { HobbleError } from "../errors.js";
import { parsePid } from "./cycle-options.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { print, printJson } from "./streams.js";
import { formatAsked, formatUntil, harmless } from "./target-text.js";

interface AddFlags extends ClientFlags {
  run?: string;
  stop?: string;
  limit?: string;
  pool?: string;
  tree?: true;
  group?: true;
  for?: string;
  reason?: string;
}

const examples = `
It stays hobbled when this command ends: until hobble rm, until --for is over, or until it exits.

Examples:
  hobble add 4711 --limit 5%
  hobble add 4711 --run 10ms --stop 250ms --for 1h --reason "nightly report"
`;

export function addCommand(program: Command): void {
  const command = program
    .command("add")
    .summary("hobble a process through the daemon")
    .description("Hobbles a process by hand. Without admin rights only single processes of one's own.")
    .argument("<pid>", "the process")
    .option("--run <duration>", "how long it runs in each period: 100us to 1h")
    .option("--stop <duration>", "how long it is stopped in each period: 100us to 1h")
    .option("--limit <cpus>", "the CPU time it may spend: 5%, 250%, 0.05cpus")
    .option("--pool <name>", "share the limit of this pool of the configuration")
    .option("--tree", "with its descendants")
    .option("--group", "the process group of this number")
    .option("--for <duration>", "lift it after this time")
    .option("--reason <text>", "what hobble explain says");
  addClientOptions(command, examples).action(add);
}

async function add(word: string, flags: AddFlags): Promise<void> {
  const { run, stop, limit, pool, tree, group, reason } = flags;
  if (tree && group) throw new HobbleError("EINVAL", "give --tree or --group, not both");
  const kind = tree ? "tree" : group ? "group" : "process";
  const options = { pid: parsePid(word), kind, run, stop, limit, pool, for: flags.for, reason } as const;
  const target = await withClient(flags, (client) => client.add(options));
  if (flags.json) printJson(target);
  else print(`hobbled ${target.pid} ${harmless(target.name)}: ${formatAsked(target)}, until ${formatUntil(target.untilAt)}\n`);
}
