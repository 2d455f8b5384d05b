/** The options that every command that hobbles has in common. */
import type { Command } from "commander";
import { HobbleError } from "../errors.js";
import type { HobblerOptions } from "../options.js";
import { checkTerms, type TargetTerms } from "../terms.js";

export interface CycleFlags {
  run?: string;
  stop?: string;
  phase?: string;
  cpu?: string;
  burst?: string;
  minRun?: string;
  precision: string;
  realtime: string;
  concurrency: string;
  guardian: string;
  foreignStops: string;
  runtimeDir?: string;
  protect?: string[];
  protectUsual: boolean;
}

export function addCycleOptions(command: Command): Command {
  return command
    .option("--run <duration>", "a cycle: how long it runs in each period, 100us to 1h")
    .option("--stop <duration>", "a cycle: how long it is stopped in each period, 100us to 1h")
    .option("--phase <phase>", 'a cycle: when in the period, "spread", "aligned", or an offset such as 20ms (default: "spread")')
    .option("--cpu <limit>", 'a limit instead of a cycle: CPU time that it may spend, "5%" of one CPU or "0.05cpus"')
    .option("--burst <duration>", "a limit: how far ahead it may spend (default: 100ms)")
    .option("--min-run <duration>", "a limit: shortest run window (default: 1ms)")
    .option("--precision <how>", 'what punctuality may cost: "tight", "balanced" or "economy"', "balanced")
    .option("--realtime <mode>", 'SCHED_FIFO for the timer thread: "auto", "require" or "off"', "auto")
    .option("--concurrency <most>", 'most targets that run at once: "auto", "none" or a number', "auto")
    .option("--guardian <mode>", 'the process that resumes everything if hobble is killed: "auto", "require" or "off"', "auto")
    .option("--foreign-stops <what>", 'processes that somebody else stopped: "respect" (leave them alone) or "ignore"', "respect")
    .option("--protect <executable...>", "programs that are never stopped, beside init, sshd, container runtimes and the like")
    .option("--no-protect-usual", "do not protect those")
    .option("--runtime-dir <directory>", "where the table of what is stopped is kept (default: /run/hobble, or a private one)");
}

/** The flags as the library takes them, which checks their values. */
export function termsOf({ run, stop, phase, cpu, burst, minRun }: CycleFlags): TargetTerms {
  const cycle = given({ run, stop, phase });
  const limit = given({ burst, minRun });
  if (cpu === undefined && (run === undefined || stop === undefined)) {
    throw new HobbleError("EINVAL", "give --run and --stop, or --cpu");
  }
  const terms = { ...cycle, ...limit, ...(cpu === undefined ? {} : { limit: cpu }) } as TargetTerms;
  checkTerms(terms);
  return terms;
}

function given(flags: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

export function hobblerOptionsOf({
  precision,
  realtime,
  concurrency,
  guardian,
  foreignStops,
  runtimeDir,
  protect,
  protectUsual,
}: CycleFlags): HobblerOptions {
  return {
    precision: precision as HobblerOptions["precision"],
    realtime: realtime as HobblerOptions["realtime"],
    guardian: guardian as HobblerOptions["guardian"],
    foreignStops: foreignStops as HobblerOptions["foreignStops"],
    runtimeDir,
    protect,
    protectUsual,
    concurrency: /^\d+$/.test(concurrency) ? Number(concurrency) : (concurrency as HobblerOptions["concurrency"]),
  };
}

/** @throws HobbleError `EINVAL` */
export function parsePid(word: string): number {
  if (/^[1-9]\d*$/.test(word) && Number(word) <= 2 ** 22) return Number(word);
  throw new HobbleError("EINVAL", `${JSON.stringify(word)} is not a PID (a whole number from 1 to ${2 ** 22})`);
}
