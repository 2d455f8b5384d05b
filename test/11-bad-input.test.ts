import { afterAll, describe, expect, test } from "vitest";
import { type CycleOptions, HobbleError, Hobbler, type HobblerOptions, type TargetSelector } from "../src/index.js";
import { startSleeper, stateOf } from "./helpers/processes.js";

const hobbler = new Hobbler();
afterAll(() => hobbler.close());
const cycle = { run: "10ms", stop: "250ms" };

function errorOf(call: () => unknown): HobbleError {
  try {
    call();
  } catch (error) {
    if (error instanceof HobbleError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("options of a hobbler", () => {
  test.each([
    [{ priority: 0 }, "priority must be a whole number from 1 to 98, not 0"],
    [{ priority: 99 }, "priority must be a whole number from 1 to 98, not 99"],
    [{ priority: 1.5 }, "priority must be a whole number from 1 to 98, not 1.5"],
    [{ realtime: "yes" }, "realtime must be one of auto, require, off, not 'yes'"],
    [{ precision: "fast" }, "precision must be one of tight, balanced, economy, not 'fast'"],
    [{ cpu: -1 }, "cpu must be the number of a CPU, not -1"],
    [{ concurrency: 0 }, 'concurrency must be "auto", "none" or a whole number from 1, not 0'],
    [{ maxShare: 0 }, "maxShare must be a share above 0 and at most 1, not 0"],
    [{ maxShare: 1.1 }, "maxShare must be a share above 0 and at most 1, not 1.1"],
    [{ for: "0s" }, "for must be a duration of at least 1 ms, such as \"5s\", not '0s'"],
    [{ signal: {} }, "signal must be an AbortSignal, not {}"],
    [{ precison: "tight" }, 'the options: there is no option "precison"'],
    [null, "the options must be an object, not null"],
  ])("%j: %s", (options, message) => {
    expect(errorOf(() => new Hobbler(options as HobblerOptions))).toMatchObject({ code: "EINVAL", message });
  });
});

describe("what to hobble", () => {
  test.each([
    0,
    -5,
    1.5,
    Number.NaN,
    1e300,
    99999999,
    "abc",
    "12",
    12n,
    null,
    undefined,
    [],
    { pid: "12" },
    { tree: 0 },
    { group: -1 },
    {},
  ])("%s is no target", (selector) => {
    const error = errorOf(() => hobbler.add(selector as TargetSelector, cycle));
    expect(error).toMatchObject({
      code: "EINVAL",
      message: expect.stringMatching(/must be a PID \(a whole number from 1 to 4194304\).*, not /),
    });
  });

  test.each([
    [{ pid: 12, startTime: -1 }, "startTime must be clock ticks after boot, not -1"],
    [{ pid: 12, inode: 7 }, "inode must be the inode of a pidfd (a bigint), not 7"],
    [{ tree: 12, adoptOrphans: "yes" }, "adoptOrphans must be true or false, not 'yes'"],
  ])("%j: %s", (selector, message) => {
    expect(errorOf(() => hobbler.add(selector as unknown as TargetSelector, cycle))).toMatchObject({ code: "EINVAL", message });
  });
});

describe("the cycle", () => {
  const windows = [
    0,
    -1,
    "10 parsecs",
    Number.NaN,
    1e300,
    Number.POSITIVE_INFINITY,
    0.0999,
    "99us",
    "3600001ms",
    "2h",
    "",
    null,
    undefined,
    {},
  ];
  test.each(windows)("%s is no run or stop time", (value) => {
    for (const name of ["run", "stop"]) {
      const error = errorOf(() => hobbler.add(process.ppid, { ...cycle, [name]: value } as CycleOptions));
      expect(error.code).toBe("EINVAL");
      expect(error.message).toMatch(new RegExp(`^${name} must be a duration from 100 us to 1 h, such as "10ms", not `));
    }
  });

  test.each(["later", -1, "3h", null])("%s is no phase", (phase) => {
    expect(errorOf(() => hobbler.add(process.ppid, { ...cycle, phase } as CycleOptions)).message).toMatch(
      /^phase must be "spread", "aligned" or/,
    );
  });

  test("a misspelt property is refused, also right after the correct one was accepted", async () => {
    const { pid } = await startSleeper();
    const target = hobbler.add(pid, cycle);
    expect(errorOf(() => hobbler.add(pid, { ...cycle, fase: "aligned" } as CycleOptions)).message).toBe(
      'the cycle: there is no option "fase"',
    );
    await target.release();
  });
});

test("nothing that was refused has touched anything", () => {
  expect(hobbler.targets.size).toBe(0);
  expect(hobbler.stats().members).toBe(0);
  expect(stateOf(process.ppid)).not.toBe("T");
});
