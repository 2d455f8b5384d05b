/** `npm run bench` and `hobble bench`: the suite, its report, and comparisons of two runs. */
import { spawnSync } from "node:child_process";
import { readOrders, UsageError, usage } from "./suite/command.js";
import { compareFiles } from "./suite/compare-files.js";
import { writeReports } from "./suite/reports.js";
import { runSuite } from "./suite/run.js";
import { readResults } from "./suite/store.js";

async function main(): Promise<number> {
  const orders = readOrders(process.argv.slice(2));
  if (orders.what === "help") {
    process.stdout.write(usage);
    return 0;
  }
  if (orders.what === "compare") return compareFiles(orders.before, orders.after);
  if (orders.what === "report") {
    process.stdout.write(`${writeReports(readResults(orders.file), orders.file).join("\n")}\n`);
    return 0;
  }
  const refused = stayInCharge();
  return runSuite(orders, refused === undefined ? [] : [refused]);
}

/**
 * A thousand hogs would starve the bench, and nobody would end the run: the lowest SCHED_FIFO priority keeps it in charge. Below every
 * contestant's, and not passed on to what the bench starts. Returns why not, where that is so.
 */
function stayInCharge(): string | undefined {
  const { status } = spawnSync("chrt", ["--reset-on-fork", "--fifo", "--pid", "1", String(process.pid)]);
  return status === 0 ? undefined : "the bench itself ran without SCHED_FIFO: runs with many busy targets may take longer than asked";
}

// `| head` is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${usage}` : `${(error as Error).stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
