/** `hobble attach`: hobbles processes that run already. */
import type { Command } from "commander";
import { pidFile } from "../discovery/pid-file.js";
import { processName } from "../discovery/process-name.js";
import type { Source } from "../discovery/source.js";
import { parseDuration } from "../duration.js";
import { HobbleError } from "../errors.js";
import { Hobbler } from "../hobbler.js";
import type { TargetSelector } from "../options.js";
import { jsonReport, textReport } from "./attach-report.js";
import { Attachment, nameOf, type Wanted } from "./attachment.js";
import { addCycleOptions, type CycleFlags, hobblerOptionsOf, parsePid, termsOf } from "./cycle-options.js";
import { ExitCode, exitCodesHelp } from "./exit.js";
import { endSignal, pauseWhenStopped, raisePriority } from "./lifetime.js";
import { interactiveShellOf } from "./shell-job.js";
import { outputClosed } from "./streams.js";
import { processCpuShare } from "./summary.js";

interface AttachFlags extends CycleFlags {
  tree?: true;
  group?: true;
  from?: string;
  name?: string;
  cgroup?: string[];
  every?: string;
  for?: string;
  json?: true;
}

const statusEveryMs = 1000;

const help = `
The processes are resumed when it ends: on Ctrl-C, SIGTERM or SIGHUP, after --for, or when all PIDs given have exited.
Ctrl-Z resumes them too, until it is continued.

Examples:
  hobble attach 4711 --run 10ms --stop 250ms                 one process, 3.8 % of the time
  hobble attach 4711 --tree --run 50ms --stop 50ms --for 5m  with its descendants, half the time, for five minutes
  hobble attach 4711 --tree --cpu 20%                        a limit: with its descendants, 20 % of a CPU
  hobble attach --from /sys/fs/cgroup/tarpit/cgroup.procs --run 10ms --stop 250ms
  hobble attach --cgroup /sys/fs/cgroup/tarpit --run 10ms --stop 250ms
  hobble attach --name '^ffmpeg$' --run 20ms --stop 80ms --json
${exitCodesHelp}`;

export function attachCommand(program: Command): void {
  const command = program
    .command("attach")
    .summary("hobble processes that run already")
    .description("Hobbles processes that run already, each a target of its own, until it ends. A list of them may be given or followed.")
    .argument("[pid...]", "processes to hobble");
  addCycleOptions(command)
    .option("--tree", "each PID stands for the process and its descendants")
    .option("--group", "each PID stands for a process group")
    .option("--cgroup <path...>", "hobble whole cgroups: frozen where that is allowed, else with signals to their processes")
    .option("--from <file>", "follow a file with a PID on each line, such as a cgroup.procs")
    .option("--name <pattern>", "follow the processes whose program (its file's name) matches a regular expression")
    .option("--every <duration>", "how often to look for changes (default: 2s with --from, 10s with --name)")
    .option("--for <duration>", "end after this time")
    .option("--json", "one JSON object on a line for each event, and for the summary at the end")
    .addHelpText("after", help)
    .action(attach);
}

async function attach(words: string[], flags: AttachFlags): Promise<void> {
  // Everything that can be wrong with the arguments is found before any process is touched.
  const { checked, limit, share } = termsOf(flags);
  const processes: Wanted[] = [...new Set(words.map(parsePid))].map((pid) => ({ pid }));
  const groups: Wanted[] = [...new Set(flags.cgroup)].map((cgroup) => ({ pid: 0, cgroup }));
  const source = sourceOf(flags, processes.length > 0, groups.length > 0);
  const select = selectorFor(flags);

  const ends = endSignal();
  const began = process.cpuUsage();
  const hobbler = new Hobbler({ ...hobblerOptionsOf(flags), for: flags.for }).ref();
  pauseWhenStopped(hobbler);
  raisePriority();

  const report = flags.json ? jsonReport : textReport();
  hobbler.on("overload", ({ reason, message, stretch }) => report.tell({ event: "overload", reason, message, stretch }));
  hobbler.on("held", ({ target, pid, by }) => report.tell({ event: "held", target: target.pid, pid, by }));
  hobbler.on("unheld", ({ target, pid }) => report.tell({ event: "unheld", target: target.pid, pid }));
  let lostGuardian = false;
  hobbler.on("unguarded", ({ error }) => {
    lostGuardian = true;
    report.tell({ event: "warning", message: error.message });
  });
  hobbler.on("unfrozen", ({ target, message }) => report.tell({ event: "unfrozen", ...nameOf(target), message }));
  hobbler.on("evasion", ({ target, pid, evadedNs, share, answer, message }) =>
    report.tell({ event: "evasion", target: target.pid, pid, evadedNs, share, answer, message }),
  );
  hobbler.on("crowded", ({ message }) => report.tell({ event: "warning", message }));
  for (const { pid } of processes) warnOfShell(pid, (message) => report.tell({ event: "warning", message }));

  const attachment = new Attachment(hobbler, share(hobbler), select, report);
  const ended = new AbortController();
  const ticker = setInterval(() => report.status(hobbler.stats()), statusEveryMs);
  let stats = hobbler.stats();
  try {
    const work =
      source === undefined
        ? attachment.hobbleUntilGone([...processes, ...groups])
        : attachment.follow(source.source, source.everyMs, ended.signal);
    const over = new Promise<void>((resolve) => hobbler.once("finished", resolve).once("closed", resolve));
    await Promise.race([work, ends, outputClosed(), over]);
    stats = hobbler.stats();
  } finally {
    ended.abort();
    clearInterval(ticker);
    await hobbler.close();
  }
  process.exitCode = lostGuardian && flags.guardian === "require" ? ExitCode.failure : attachment.exitCode;
  if (attachment.hobbled === 0) return;
  const { hobbled, failed } = attachment;
  report.summary({ hobbled, failed, terms: checked, limit, processCpuShare: processCpuShare(stats.elapsedNs, began), stats });
}

function sourceOf(flags: AttachFlags, pidsGiven: boolean, groupsGiven: boolean): { source: Source; everyMs: number } | undefined {
  const ways = [pidsGiven || groupsGiven, flags.from !== undefined, flags.name !== undefined].filter(Boolean).length;
  if (ways !== 1) throw new HobbleError("EINVAL", "give PIDs, or --from, or --name: one of them (--cgroup goes with PIDs)");
  if (flags.from !== undefined) return { source: pidFile(flags.from), everyMs: intervalMs(flags.every ?? "2s") };
  if (flags.name !== undefined) return { source: processName(regularExpression(flags.name)), everyMs: intervalMs(flags.every ?? "10s") };
  if (flags.every !== undefined) throw new HobbleError("EINVAL", "--every goes with --from or --name");
  return undefined;
}

function intervalMs(every: string): number {
  const ms = parseDuration(every) / 1e6;
  if (ms < 10 || ms > 86_400_000) throw new HobbleError("EINVAL", `--every must be from 10ms to 24h, not ${every}`);
  return ms;
}

function regularExpression(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch (cause) {
    throw new HobbleError("EINVAL", `--name: ${(cause as Error).message}`, { cause });
  }
}

function selectorFor({ tree, group, freeze }: AttachFlags): (wanted: Wanted) => TargetSelector {
  if (tree && group) throw new HobbleError("EINVAL", "give --tree or --group, not both");
  const how = freeze ? ({ via: "freeze" } as const) : {};
  return ({ pid, cgroup, ...seen }) => {
    if (cgroup !== undefined) return { cgroup, ...how };
    if (tree) return { tree: pid, ...seen, ...how };
    if (group) return { group: pid, ...seen, ...how };
    return { pid, ...seen, ...how };
  };
}

function warnOfShell(pid: number, warn: (message: string) => void): void {
  const shell = interactiveShellOf(pid);
  if (shell === undefined) return;
  warn(
    `${pid} is a job of an interactive shell (${shell.name}, ${shell.pid}), which will take the terminal back each time it is stopped; ` +
      `hobble the shell with it: hobble attach ${shell.pid} --tree`,
  );
}
