import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "./helpers/cli.js";
import { runsOn, startSleeper, stateOf } from "./helpers/processes.js";
import { rounds, roundsTimeoutMs } from "./helpers/rounds.js";

const fixture = fileURLToPath(new URL("fixtures/hobble-and-end.mjs", import.meta.url));

test.each([
  ["process.exit()", "exit", 7],
  ["an uncaught exception", "throw", 1],
  ["an unhandled rejection", "reject", 1],
  ["the end of the event loop", "end", 0],
  ["worker.terminate()", "worker-terminate", 0],
  ["process.exit() in a worker", "worker-exit", 0],
  ["an uncaught exception in a worker", "worker-throw", 0],
  ["the end of a worker's event loop", "worker-end", 0],
])("%s in the middle of a stop window leaves nothing stopped", { timeout: roundsTimeoutMs }, async (_, way, code) => {
  const sleepers = await Promise.all([startSleeper(), startSleeper(), startSleeper()]);
  const pids = sleepers.map(({ pid }) => pid);
  for (let round = 0; round < rounds; round++) {
    const ending = await run(["node", fixture, way, ...pids.map(String)]);
    expect(await ending.exit).toBe(code);
    expect(ending.stdout()).toBe("hobbling\n");
    expect(pids.map(stateOf)).not.toContain("T");
  }
  for (const pid of pids) expect(await runsOn(pid)).toBe(true);
});
