/** PID reuse, forced in a PID namespace with a small pid_max; strangers count what they get, and the kernel's tracepoint agrees. */
import { execFile } from "node:child_process";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { nativeProgram } from "../native-programs.js";
import type { Lengths } from "./lengths.js";
import type { ReuseResult } from "./reuse-inside.js";
import { countSignalsTo } from "./signal-count.js";
import type { Verdicts } from "./verdicts.js";

const program = fileURLToPath(new URL("reuse-inside.js", import.meta.url));
const smallPidMax = 600;

export async function reusedPids({ reuseRounds }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading(`PIDs that are reused while hobbled; a PID namespace with pid_max ${smallPidMax}`);
  if (process.getuid?.() !== 0) return verdicts.skip("it takes root");
  nativeProgram("reuse");
  // Before Linux 6.14 it is one figure for the whole host: left alone then. ns_last_pid forces the reuse either way.
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const own = major > 6 || (major === 6 && minor >= 14);
  const script = `${own ? `echo ${smallPidMax} >/proc/sys/kernel/pid_max; ` : ""}"$@"; exit $?`;
  const words = [
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "sh",
    "-c",
    script,
    "sh",
    process.execPath,
    program,
    String(reuseRounds),
  ];
  const counter = countSignalsTo("stranger");
  try {
    const { stdout } = await promisify(execFile)("unshare", words);
    const { reused, signals, sent, refusals, recoveries } = JSON.parse(stdout) as ReuseResult;
    const traced = counter?.count();
    verdicts.tell(reused > 0 && signals === 0, `${reused} PIDs reused, ${sent} signals sent to targets; strangers counted ${signals}`);
    if (traced === undefined) verdicts.skip("the tracepoint: tracefs may not be used here");
    else verdicts.tell(traced === 0, `the tracepoint signal:signal_generate saw ${traced} SIGSTOP or SIGCONT to strangers`);
    const told = Object.entries(refusals).map(([code, times]) => `${code} ${times} times`);
    verdicts.note(
      `adding by the identity of a dead target: ${told.join(", ")}; ${recoveries} leases of dead targets looked up in recovery`,
    );
  } finally {
    counter?.close();
  }
}
