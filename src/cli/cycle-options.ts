/** The options that every command that hobbles has in common. */
import type { Command } from "commander";
import { HobbleError } from "../errors.js";
import type { CycleOptions, HobblerOptions } from "../options.js";

export interface CycleFlags {
  run: string;
  stop: string;
  phase: string;
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
    .requiredOption("--run <duration>", "how long it runs in each period: 100us to 1h")
    .requiredOption("--stop <duration>", "how long it is stopped in each period: 100us to 1h")
    .option("--phase <phase>", 'when in the period: "spread", "aligned", or an offset such as 20ms', "spread")
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
export function cycleOf({ run, stop, phase }: CycleFlags): CycleOptions {
  return { run, stop, phase };
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
