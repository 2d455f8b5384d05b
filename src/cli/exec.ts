/** `hobble exec`: starts a command as a target. */
import { EventEmitter, once } from "node:events";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Command } from "commander";
import { argumentBytes, inheritedFds, originalOpenFiles } from "../exec/inheritance.js";
import { endingSignals, Job, stoppingSignals } from "../exec/job.js";
import { Hobbler } from "../hobbler.js";
import { type CommandEvent, host } from "../native-host.js";
import type { Target } from "../target.js";
import { addCycleOptions, type CycleFlags, hobblerOptionsOf, termsOf } from "./cycle-options.js";
import { exitCodeOf } from "./exit.js";
import { raisePriority } from "./lifetime.js";

interface ExecFlags extends CycleFlags {
  waitAll?: true;
}

const help = `
The command is hobbled from its first instruction on, with all its descendants, also those that leave it (daemons). Its exit status, its
signals and its terminal are as if it had been started directly: Ctrl-C, Ctrl-Z, fg and pipes work. Signals sent to hobble go on to it.

Examples:
  hobble exec --run 20ms --stop 80ms -- make -j4
  hobble exec --cpu 20% -- make -j4
  hobble exec --run 10ms --stop 250ms -- sh -c 'sort huge.txt | uniq -c'
  hobble exec --run 5ms --stop 5ms --wait-all -- ./start-daemon.sh

Exit codes:
  that of the command; if a signal ended the command, the same signal ends hobble
  1    failure: the command was not started
  2    usage: an option that cannot be right
  4    not permitted: the command was not started
  126  the command cannot be run
  127  there is no such command`;

export function execCommand(program: Command): void {
  const command = program
    .command("exec")
    .summary("start a command hobbled")
    .description("Starts a command as a target, and ends as it ends.")
    .argument("<command...>", 'the command and its arguments, after "--"');
  addCycleOptions(command)
    .option("--wait-all", "end only when all descendants of the command have ended too")
    .addHelpText("after", help)
    .action(exec);
}

interface CommandEvents {
  signal: [CommandEvent];
  stopped: [CommandEvent];
  ended: [CommandEvent];
}

/**
 * Never returns; from the start of the command on, the standard streams are the command's. They are not to be touched through `process`: Node
 * would make the pipes among them non-blocking, for every process that shares them.
 *
 * @throws HobbleError as the constructor of `Hobbler`, or `EINVAL` for a cycle out of range: then nothing was started.
 */
async function exec(words: readonly string[], flags: ExecFlags): Promise<void> {
  const { share } = termsOf(flags);
  // Before the engine opens descriptors of its own.
  const inherited = inheritedFds();
  const hobbler = new Hobbler(hobblerOptionsOf(flags));

  hobbler.on("unguarded", ({ error }) => complain(error.message));
  hobbler.on("unfrozen", ({ message }) => complain(message));
  hobbler.on("crowded", ({ message }) => complain(message));

  const events = new EventEmitter<CommandEvents>();
  const command = host().holdCommand(argumentBytes(words), inherited, originalOpenFiles(), (event) => {
    events.emit(event.type === "signal" || event.type === "stopped" ? event.type : "ended", event);
  });
  const ended = once(events, "ended") as Promise<[CommandEvent]>;
  raisePriority();

  let target: Target;
  try {
    target = hobbler.add({ tree: command.pid, adoptOrphans: true, via: flags.freeze ? "freeze" : "auto" }, share(hobbler));
  } catch (error) {
    command.abandon();
    return giveUp(hobbler, error);
  }
  const job = new Job(hobbler, command.pid, () => target.members);
  const failed = (error: Error) => complain(error.message);
  events.on("signal", ({ value, passedOn, atNs }) => {
    if (endingSignals.has(value)) job.grantReprieve();
    if (stoppingSignals.has(value)) job.stopSignalCame(value, passedOn, atNs).catch(failed);
  });
  events.on("stopped", ({ value, atNs }) => void job.commandStopped(value, atNs).catch(failed));

  const refusal = await target.ready.catch((error: unknown) => error);
  hobbler.on("error", ({ error }) => complain(error.message));
  if (refusal === undefined) command.letGo();
  else command.abandon();
  const [end] = await ended;
  job.commandEnded();

  const endedBy = flags.waitAll ? await Promise.race([target.ended, endingSignal(events)]) : undefined;
  job.end();
  if (refusal !== undefined && end.type !== "killed") return giveUp(hobbler, refusal);
  await hobbler.close();
  if (typeof endedBy === "number") host().dieOf(endedBy);
  if (end.type === "killed") host().dieOf(end.value);
  host().exitNow(exitCode(end, words[0]));
}

/** The command was not started. */
async function giveUp(hobbler: Hobbler, error: unknown): Promise<never> {
  await hobbler.close();
  complain(error instanceof Error ? error.message : String(error));
  return host().exitNow(exitCodeOf(error));
}

async function endingSignal(events: EventEmitter<CommandEvents>): Promise<number> {
  return new Promise((resolve) => {
    events.on("signal", ({ value }) => {
      if (endingSignals.has(value)) resolve(value);
    });
  });
}

/** As shells have it: 127 when there is no such command, 126 when there is one that cannot be run. */
function exitCode(end: CommandEvent, word = ""): number {
  if (end.type === "exited") return end.value;
  const missing = end.value === constants.errno.ENOENT;
  complain(
    missing ? `there is no command ${JSON.stringify(word)}` : `${JSON.stringify(word)} cannot be run (${getSystemErrorName(-end.value)})`,
  );
  return missing ? 127 : 126;
}

function complain(message: string): void {
  host().complain(`hobble: ${message}\n`);
}
