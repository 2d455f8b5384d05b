/** The referee, against a contestant whose errors are known. */
import { afterAll, describe, expect, test } from "vitest";
import { openClockGapReferee } from "../bench/referee/clock-gap.js";
import { openReferee } from "../bench/referee/referee.js";
import { checkReferee } from "../bench/suite/self-check.js";

const { referee, note } = openReferee();
afterAll(() => referee.close());

describe("the referee", () => {
  test("finds injected errors of 20 µs to 50 ms", { timeout: 60_000 }, async () => {
    const checks = await checkReferee(referee, 9);
    expect(checks.map(({ injectedNs }) => injectedNs)).toEqual([20e3, 50e3, 100e3, 200e3, 500e3, 1e6, 2e6, 5e6, 10e6, 20e6, 50e6]);
    for (const { injectedNs, foundNs, windows } of checks) {
      expect(windows).toBe(9);
      // On a loaded host the contestant itself is late now and then, and the referee has to say so; the median is the host's at worst.
      if (note === undefined) expect(Math.abs(foundNs - injectedNs)).toBeLessThan(Math.max(200e3, injectedNs * 0.05));
    }
  });

  test("sees what the contestant really did, window by window", { timeout: 60_000 }, async () => {
    if (note !== undefined) return;
    const checks = await checkReferee(referee, 5);
    const off = checks.map(({ injectedNs, foundNs }) => Math.abs(foundNs - injectedNs) / injectedNs);
    // Ten times the smallest error would be a referee that reads another clock.
    expect(Math.max(...off)).toBeLessThan(10);
  });

  test("for hosts without tracing gives errors of the right size", { timeout: 60_000 }, async () => {
    const checks = await checkReferee(openClockGapReferee(), 5);
    for (const { injectedNs, foundNs } of checks.filter(({ injectedNs: ns }) => ns >= 20e6)) {
      expect(Math.abs(foundNs - injectedNs)).toBeLessThan(injectedNs / 2);
    }
  });
});
