import { afterEach, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { start, until } from "./helpers/processes.js";

const hobblers: Hobbler[] = [];
afterEach(async () => {
  await Promise.all(hobblers.splice(0).map((hobbler) => hobbler.close()));
});

function makeHobbler(precision: "tight" | "balanced"): Hobbler {
  const hobbler = new Hobbler({ precision });
  hobblers.push(hobbler);
  return hobbler;
}

/** Processes that sleep until they read a line, then use the CPU. */
const startDozers = (count: number) =>
  Promise.all(Array.from({ length: count }, () => start(["sh", "-c", "read line; while :; do :; done"])));

const phases = (hobbler: Hobbler) => new Set(hobbler.targetStats().map(({ phaseNs }) => phaseNs)).size;

test("sleeping targets are signalled together, and spread again when they are busy", async () => {
  const hobbler = makeHobbler("balanced");
  const dozers = await startDozers(12);
  const targets = dozers.map(({ pid }) => hobbler.add(pid, { run: "2ms", stop: "38ms" }));
  await Promise.all(targets.map((target) => target.ready));
  await until(() => phases(hobbler) === 1, "one phase for all");
  const before = hobbler.stats();
  await until(() => hobbler.stats().signals >= before.signals + 240, "ten periods");
  const after = hobbler.stats();
  expect(after.signals - before.signals).toBeGreaterThan(5 * (after.wakeups - before.wakeups));
  for (const { child } of dozers) child.stdin?.write("\n");
  await until(() => phases(hobbler) > 6, "a phase for each");
  expect(hobbler.targetStats().every(({ dutyAsked }) => dutyAsked === 0.05)).toBe(true);
});

test("`tight` leaves sleeping targets at their own phases", async () => {
  const hobbler = makeHobbler("tight");
  const targets = (await startDozers(12)).map(({ pid }) => hobbler.add(pid, { run: "2ms", stop: "38ms" }));
  await Promise.all(targets.map((target) => target.ready));
  await until(() => hobbler.targetStats().every(({ cycles }) => cycles > 50), "two seconds");
  expect(phases(hobbler)).toBeGreaterThan(6);
});
