/** The command line of the suite. */
import { parseArgs } from "node:util";
import { type Effort, efforts } from "./bench-lab.js";
import { pointNames } from "./scenarios/windows.js";
import { allScenarios } from "./scenarios.js";

export interface RunOrders {
  what: "run";
  effort: Effort;
  scenarios: readonly string[];
  /** Undefined: all that this host can have. */
  contestants: readonly string[] | undefined;
  /** Where results go; undefined: bench/results of the package, or here. */
  into: string | undefined;
}

export type Orders = RunOrders | { what: "help" } | { what: "compare"; before: string; after: string } | { what: "report"; file: string };

export const usage = `Usage: hobble bench [quick] [options]          measure; in a clone: npm run bench -- [quick] [options]
       hobble bench compare BEFORE.json AFTER.json
       hobble bench report RESULTS.json           write its HTML and Markdown again

  quick               a look in two minutes; without it everything, in about fourteen minutes
  --only NAMES        scenarios, separated by commas:
${allScenarios.map(({ name, about }) => `                        ${name.padEnd(10)} ${about}`).join("\n")}
  --contestants NAMES only these, such as hobble,asyncio,cpulimit
  --points NAMES      only these points of the scenario windows, separated by semicolons, such as "100 busy;1,000 idle"
  --rounds N          how often all take their turns
  --into FILE.json    where to write; an existing file gets the new scenarios added, so that a long run can be made in pieces
  --help

Root gives the kernel's own record of signals, real-time priority and cgroups; what is left out without it is said.
Exit status: 0 done, 1 something failed or the host was too noisy, 2 usage.
`;

export class UsageError extends Error {}

/** @throws UsageError */
export function readOrders(args: readonly string[]): Orders {
  const { values, positionals } = parse(args);
  if (values.help) return { what: "help" };
  const [verb, ...files] = positionals;
  if (verb === "compare") {
    const [before, after, ...more] = files;
    if (before === undefined || after === undefined || more.length > 0) throw new UsageError("compare takes two result files");
    return { what: "compare", before, after };
  }
  if (verb === "report") {
    const [file, ...more] = files;
    if (file === undefined || more.length > 0) throw new UsageError("report takes one result file");
    return { what: "report", file };
  }
  if (verb !== undefined && !isEffort(verb)) throw new UsageError(`there is no "${verb}" here`);
  if (files.length > 0) throw new UsageError(`too much: ${files.join(" ")}`);
  const names = allScenarios.map(({ name }) => name);
  const effort = { ...efforts[verb ?? "full"] };
  const scenarios = values.only?.split(",") ?? effort.scenarios ?? names;
  const unknown = scenarios.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no scenario "${unknown}"`);
  if (values.rounds !== undefined) effort.rounds = readRounds(values.rounds);
  if (values.points !== undefined) effort.points = readPoints(values.points, pointNames(effort));
  return { what: "run", effort, scenarios, contestants: values.contestants?.split(","), into: values.into };
}

function readPoints(text: string, known: readonly string[]): string[] {
  const points = text.split(";");
  const unknown = points.find((point) => !known.includes(point));
  if (unknown !== undefined) throw new UsageError(`there is no point "${unknown}"; there are ${known.join("; ")}`);
  return points;
}

function readRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new UsageError(`--rounds must be a whole number from 1 to 100, not "${text}"`);
  return rounds;
}

function isEffort(word: string): word is Effort["name"] {
  return Object.hasOwn(efforts, word);
}

function parse(args: readonly string[]) {
  const options = {
    only: { type: "string" },
    contestants: { type: "string" },
    points: { type: "string" },
    rounds: { type: "string" },
    into: { type: "string" },
    help: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
