/** `npm run bench:precision`: how exact, how cheap, against what everybody writes first. */
import { spawnSync } from "node:child_process";
import { readOptions, UsageError, usage } from "./options.js";
import { openReferee } from "./referee/referee.js";
import { describeHost } from "./report/host.js";
import { markdown, writeJson } from "./report/report.js";
import { emptyOutcome, type Lab, type Outcome } from "./scenarios/scenario.js";

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const { referee, note } = openReferee();
  const notes = [note, stayInCharge()].filter((line) => line !== undefined);
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const lab: Lab = { ...options, referee, root: process.getuid?.() === 0, log };
  const outcome: Outcome = emptyOutcome();
  outcome.notes.push(...notes);
  const endEarly = (signal: NodeJS.Signals) => {
    referee.close();
    process.kill(process.pid, signal);
  };
  process.once("SIGINT", endEarly).once("SIGTERM", endEarly);
  try {
    for (const scenario of options.scenarios) join(outcome, await scenario.run(lab));
  } finally {
    process.off("SIGINT", endEarly).off("SIGTERM", endEarly);
    referee.close();
  }
  const report = { host: describeHost(), referee: referee.name, outcome };
  process.stdout.write(`${markdown(report)}\nWritten to ${writeJson(report)}\n`);
  return outcome.figures.some((figure) => figure.met === false) ? 1 : 0;
}

/**
 * A thousand hogs would starve the bench, and nobody would end the run: the lowest SCHED_FIFO priority keeps it in charge. Below every
 * contestant's, and not passed on to what the bench starts. Returns why not, where that is so.
 */
function stayInCharge(): string | undefined {
  const { status } = spawnSync("chrt", ["--reset-on-fork", "--fifo", "--pid", "1", String(process.pid)]);
  return status === 0 ? undefined : "the bench itself ran without SCHED_FIFO: runs with many busy targets may take longer than asked";
}

function join(all: Outcome, part: Outcome): void {
  all.runs.push(...part.runs);
  all.floors.push(...part.floors);
  all.figures.push(...part.figures);
  all.notes.push(...part.notes);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${usage}` : `${(error as Error).stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
