/** `hobble doctor`: what this host allows. */
import type { Command } from "commander";
import { checkCgroup } from "../doctor/cgroup-check.js";
import { type Check, lacking, present, usable } from "../doctor/check.js";
import { formatChecks } from "../doctor/format.js";
import { HostFiles } from "../doctor/host-files.js";
import { kernelChecks } from "../doctor/kernel-checks.js";
import { probeChecks } from "../doctor/probe-checks.js";
import { checkGuardian, checkRuntimeDirectory } from "../doctor/safety-checks.js";
import { Hobbler } from "../hobbler.js";
import { host } from "../native-host.js";
import { ExitCode } from "./exit.js";
import { formatScheduler } from "./output.js";
import { print, printJson } from "./streams.js";

const help = `
Each thing is really tried, by this user and in this place, and nothing stays changed. What a service or another user is allowed may differ.

Examples:
  hobble doctor
  sudo -u tarpit hobble doctor
  hobble doctor --json | jq '.checks[] | select(.verdict != "yes")'

Exit codes:
  0  hobble can work here, perhaps with less than it could use
  1  it cannot`;

export function doctorCommand(program: Command): void {
  program
    .command("doctor")
    .summary("tell what this host allows")
    .description("Tells what this host allows; and of what it does not, what that costs and how to get it.")
    .option("--json", "one JSON object: usable, checks")
    .addHelpText("after", help)
    .action(doctor);
}

async function doctor({ json }: { json?: true }): Promise<void> {
  const checks = await examineHost();
  if (json) {
    printJson({ usable: usable(checks), checks });
  } else {
    const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
    for (const line of formatChecks(checks, coloured)) print(`${line}\n`);
  }
  process.exitCode = usable(checks) ? ExitCode.ok : ExitCode.failure;
}

/** Takes up to 0.2 s. Leaves nothing changed. */
async function examineHost(): Promise<Check[]> {
  const files = new HostFiles();
  const [engine, ...safety] = await checkEngine(files);
  if (engine.verdict === "no") return [engine];
  return [engine, ...safety, ...kernelChecks(files), ...probeChecks(host().probe()), checkCgroup(files)];
}

/** Both addons are loaded, and a timer thread and a guardian are started. */
async function checkEngine(files: HostFiles): Promise<[Check, ...Check[]]> {
  const name = "engine";
  const node = `Node ${process.versions.node} (${process.arch})`;
  try {
    host();
    const hobbler = new Hobbler();
    const { guardian } = hobbler.stats();
    let failure: string | undefined;
    hobbler.once("unguarded", ({ error }) => {
      failure = error.message;
    });
    await hobbler.close();
    return [
      present(name, `${node}, timer thread: ${formatScheduler(hobbler.stats())}`),
      checkRuntimeDirectory(files, host().runtimeDirectory()),
      checkGuardian(guardian, failure),
    ];
  } catch (error) {
    const lack = { cost: "nothing can be hobbled", remedy: (error as Error).message, essential: true } as const;
    return [lacking(name, `${node}, ${process.platform}`, lack)];
  }
}
