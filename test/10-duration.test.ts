import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HobbleError, parseDuration } from "../src/index.js";

describe("parseDuration", () => {
  test.each([
    [10, 10e6],
    [0.1, 100e3],
    [0, 0],
    ["250000ns", 250e3],
    ["500us", 500e3],
    ["500µs", 500e3],
    ["500μs", 500e3],
    ["10ms", 10e6],
    ["1.5s", 1.5e9],
    [".5s", 0.5e9],
    ["2m", 120e9],
    ["1h", 3600e9],
    ["0s", 0],
    ["0.1ns", 0],
  ])("%s is %d ns", (duration, ns) => {
    expect(parseDuration(duration)).toBe(ns);
  });

  test.each([
    ["10 parsecs"],
    ["10"],
    [""],
    ["ms"],
    ["-1ms"],
    ["1e3ms"],
    ["1.ms"],
    ["1,5s"],
    [" 10ms"],
    ["10 ms"],
    ["10MS"],
    ["1h30m"],
    ["3000h"],
    ["constructor"],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [1e300],
    [null],
    [undefined],
    [{}],
    [10n],
  ])("%s is refused", (duration) => {
    expect(() => parseDuration(duration as string)).toThrow(expect.objectContaining({ name: "HobbleError", code: "EINVAL" }));
  });

  test("the message names the value and shows what would be right", () => {
    expect(() => parseDuration("10 parsecs")).toThrow(/"10ms".*not '10 parsecs'/);
  });

  test("whole milliseconds read the same as numbers and as strings", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_600_000 }), (ms) => {
        expect(parseDuration(ms)).toBe(ms * 1e6);
        expect(parseDuration(`${ms}ms`)).toBe(ms * 1e6);
        expect(parseDuration(`${ms * 1000}us`)).toBe(ms * 1e6);
      }),
    );
  });

  test("no string makes it throw anything but a HobbleError", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseDuration(text)).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(HobbleError);
        }
      }),
    );
  });
});
