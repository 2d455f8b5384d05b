/** The command line of the bench. */
import { parseArgs } from "node:util";
import { parseDuration } from "hobble";
import { drift } from "./scenarios/drift.js";
import { many } from "./scenarios/many.js";
import { user } from "./scenarios/ordinary-user.js";
import { precision } from "./scenarios/precision.js";
import type { Scenario } from "./scenarios/scenario.js";
import { sleeping } from "./scenarios/sleeping.js";

export const allScenarios: readonly Scenario[] = [precision, user, sleeping, many, drift];

export interface BenchOptions {
  scenarios: readonly Scenario[];
  seconds: number;
  rounds: number;
  driftSeconds: number;
}

export const usage = `Usage: npm run bench:precision -- [options]

  --only NAMES      scenarios, separated by commas; all by default:
${allScenarios.map(({ name, about }) => `                    ${name.padEnd(10)} ${about}`).join("\n")}
  --seconds N       length of each measured run (default 5)
  --full            20 s a run, 5 rounds, drift over 10 minutes
  --drift TIME      length of the drift scenario, such as 10m (default 20s)
  --help

Needs root for the referee (tracefs), SCHED_FIFO and the ordinary user; says what it leaves out without.
Exit status: 0 every figure met, 1 a figure missed or a failure, 2 usage.
`;

export class UsageError extends Error {}

/** Undefined: help was asked for. @throws UsageError */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const seconds = Number(values.seconds ?? (values.full ? 20 : 5));
  if (!(seconds >= 1 && seconds <= 3600)) throw new UsageError(`--seconds must be a number from 1 to 3600, not "${values.seconds}"`);
  const names = values.only?.split(",");
  const unknown = names?.find((name) => !allScenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no scenario "${unknown}"`);
  return {
    scenarios: allScenarios.filter(({ name }) => names?.includes(name) ?? true),
    seconds,
    rounds: values.full ? 5 : 3,
    driftSeconds: driftSeconds(values.drift ?? (values.full ? "10m" : "20s")),
  };
}

function parse(args: readonly string[]) {
  const options = {
    only: { type: "string" },
    seconds: { type: "string" },
    full: { type: "boolean" },
    drift: { type: "string" },
    help: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function driftSeconds(text: string): number {
  let seconds: number;
  try {
    seconds = parseDuration(text) / 1e9;
  } catch (error) {
    throw new UsageError(`--drift: ${(error as Error).message}`);
  }
  if (seconds < 1) throw new UsageError(`--drift must be at least 1s, not "${text}"`);
  return seconds;
}
