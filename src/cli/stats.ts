/** `hobble stats`: figures of the daemon and its engine. */
import type { Command } from "commander";
import type { DaemonStats } from "../daemon/supervisor.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { formatFacts, formatNs, formatQuantiles, formatScheduler, formatShare, formatTable } from "./output.js";
import { print, printJson } from "./streams.js";
import { formatMoment, harmless } from "./target-text.js";

interface StatsFlags extends ClientFlags {
  metrics?: true;
}

export function statsCommand(program: Command): void {
  const command = program.command("stats").summary("figures of the daemon").option("--metrics", "as Prometheus reads them");
  addClientOptions(command).action(async (flags: StatsFlags) => {
    if (flags.metrics) {
      print(await withClient(flags, (client) => client.metrics()));
      return;
    }
    const stats = await withClient(flags, (client) => client.stats());
    if (flags.json) printJson(stats);
    else print(`${statsLines(stats).join("\n")}\n`);
  });
}

function statsLines({ version, pid, startedAt, configuration, loadedAt, off, rules, scan, engine }: DaemonStats): string[] {
  const facts: [string, string][] = [
    ["daemon", `hobble ${version}, PID ${pid}, since ${formatMoment(startedAt)}`],
    ["configuration", `${configuration ?? "none"}, read ${formatMoment(loadedAt)}`],
    ["hobbling", off === null ? "on" : `off since ${formatMoment(off.sinceAt)}, by ${harmless(off.by)}`],
    ["targets", `${engine.targets}, ${engine.members} members`],
    [
      "scans",
      `${scan.scans} by ${scan.source}; the last: ${scan.processes} processes (${scan.hidden} hidden), ${formatNs(scan.scanCpuNs)} CPU, decided in ${formatNs(scan.decideCpuNs)}`,
    ],
    ["timer thread", `${formatScheduler(engine)}; ${formatShare(engine.cpuShare)} of a CPU`],
    ["guardian", engine.guardian === undefined ? "none" : `PID ${engine.guardian}`],
    [
      "signals",
      `${engine.signals}; ${Math.round(engine.signalsPerSecond)}/s; windows skipped ${engine.skippedWindows}, deferred ${engine.deferredWindows}`,
    ],
    ["lateness", formatQuantiles(engine.lateness)],
    ["run error", formatQuantiles(engine.runError)],
    ["stop error", formatQuantiles(engine.stopError)],
  ];
  const table = rules.map(({ rule, mode, targets, hobbled, escalated, released }) => [
    harmless(rule),
    mode,
    String(targets),
    String(hobbled),
    String(escalated),
    String(released),
  ]);
  const heading = ["RULE", "MODE", "TARGETS", "HOBBLED", "ESCALATED", "RELEASED"];
  return [...formatFacts(facts), ...(table.length === 0 ? [] : ["", ...formatTable([heading, ...table])])];
}
