/** The options that every command that hobbles has in common. */
import type { Command } from "commander";
import { parseCpuLimit } from "../cpu-limit.js";
import { HobbleError } from "../errors.js";
import type { Hobbler } from "../hobbler.js";
import type { HobblerOptions } from "../options.js";
import { checkPool } from "../pool.js";
import { type CheckedTerms, checkTerms, type TargetTerms } from "../terms.js";

export interface CycleFlags {
  run?: string;
  stop?: string;
  phase?: string;
  spareIdle?: true;
  cpu?: string;
  poolCpu?: string;
  burst?: string;
  minRun?: string;
  precision: string;
  realtime: string;
  concurrency: string;
  guardian: string;
  foreignStops: string;
  freeze?: true;
  onEvasion: string;
  runtimeDir?: string;
  protect?: string[];
  protectUsual: boolean;
}

export function addCycleOptions(command: Command): Command {
  return command
    .option("--run <duration>", "a cycle: how long it runs in each period, 100us to 1h")
    .option("--stop <duration>", "a cycle: how long it is stopped in each period, 100us to 1h")
    .option("--phase <phase>", 'a cycle: when in the period, "spread", "aligned", or an offset such as 20ms (default: "spread")')
    .option("--spare-idle", "a cycle: no stop after a run window in which nothing was spent")
    .option("--cpu <limit>", 'a limit: CPU time that each target may spend, "5%" of one CPU or "0.05cpus"')
    .option("--pool-cpu <limit>", "a limit that all targets share, fairly")
    .option("--burst <duration>", "a limit: how far ahead it may be spent (default: 100ms)")
    .option("--min-run <duration>", "a limit: shortest run window (default: 1ms)")
    .option("--precision <how>", 'what punctuality may cost: "tight", "balanced" or "economy"', "balanced")
    .option("--realtime <mode>", 'SCHED_FIFO for the timer thread: "auto", "require" or "off"', "auto")
    .option("--concurrency <most>", 'most targets that run at once: "auto", "none" or a number; with --pool-cpu, most busy ones', "auto")
    .option("--guardian <mode>", 'the process that resumes everything if hobble is killed: "auto", "require" or "off"', "auto")
    .option("--foreign-stops <what>", 'processes that somebody else stopped: "respect" (leave them alone) or "ignore"', "respect")
    .option("--on-evasion <what>", 'targets that run although they are stopped: "auto", "restop", "freeze" or "report"', "auto")
    .option("--freeze", "freeze it as a cgroup, where that is allowed, in place of sending signals")
    .option("--protect <executable...>", "programs that are never stopped, beside init, sshd, container runtimes and the like")
    .option("--no-protect-usual", "do not protect those")
    .option("--runtime-dir <directory>", "where the table of what is stopped is kept (default: /run/hobble, or a private one)");
}

/** In CPUs; of each target, or of all together. */
export interface LimitAsked {
  cpus: number;
  shared: boolean;
}

/** The terms that the flags name, checked. `share` puts a target of this hobbler on them: it makes the pool, if there is to be one. */
export interface TermsFlags {
  readonly checked: CheckedTerms;
  readonly limit: LimitAsked | undefined;
  share(hobbler: Hobbler): TargetTerms;
}

/** @throws HobbleError `EINVAL`, before anything was touched. */
export function termsOf(flags: CycleFlags): TermsFlags {
  const { run, stop, phase, spareIdle, cpu, poolCpu, burst, minRun } = flags;
  if (cpu === undefined && poolCpu === undefined && (run === undefined || stop === undefined)) {
    throw new HobbleError("EINVAL", "give --run and --stop, or --cpu, or --pool-cpu");
  }
  const own = given({ run, stop, phase, spareIdle, limit: cpu, ...(cpu === undefined ? {} : { burst, minRun }) });
  if (poolCpu === undefined) {
    const terms = { ...own, ...given({ burst, minRun }) } as unknown as TargetTerms;
    return {
      checked: checkTerms(terms),
      limit: cpu === undefined ? undefined : { cpus: parseCpuLimit(cpu), shared: false },
      share: () => terms,
    };
  }
  const pool = { limit: poolCpu, ...given({ burst, minRun, concurrency: wholeNumberOf(flags.concurrency) }) };
  checkPool(pool);
  // Any pool will do for the check.
  const checked = checkTerms({ ...own, pool: "all" } as TargetTerms, () => 1);
  return {
    checked,
    limit: { cpus: parseCpuLimit(poolCpu), shared: true },
    share: (hobbler) => ({ ...own, pool: hobbler.pool("all", pool) }) as TargetTerms,
  };
}

function given(flags: Record<string, string | number | true | undefined>): Record<string, string | number | true> {
  return Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string | number | true] => entry[1] !== undefined));
}

function wholeNumberOf(word: string): number | undefined {
  return /^\d+$/.test(word) ? Number(word) : undefined;
}

/** The flags as the library takes them, which checks their values. */
export function hobblerOptionsOf({
  precision,
  realtime,
  concurrency,
  guardian,
  foreignStops,
  onEvasion,
  runtimeDir,
  protect,
  protectUsual,
  poolCpu,
}: CycleFlags): HobblerOptions {
  return {
    precision: precision as HobblerOptions["precision"],
    realtime: realtime as HobblerOptions["realtime"],
    guardian: guardian as HobblerOptions["guardian"],
    foreignStops: foreignStops as HobblerOptions["foreignStops"],
    onEvasion: onEvasion as HobblerOptions["onEvasion"],
    runtimeDir,
    protect,
    protectUsual,
    // With a pool, a number is the pool's.
    concurrency:
      poolCpu !== undefined && /^\d+$/.test(concurrency) ? "auto" : (wholeNumberOf(concurrency) ?? (concurrency as "auto" | "none")),
  };
}

/** @throws HobbleError `EINVAL` */
export function parsePid(word: string): number {
  if (/^[1-9]\d*$/.test(word) && Number(word) <= 2 ** 22) return Number(word);
  throw new HobbleError("EINVAL", `${JSON.stringify(word)} is not a PID (a whole number from 1 to ${2 ** 22})`);
}
