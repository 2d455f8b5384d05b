/** The bench's arithmetic: what it says about signals must be right before anything it says about hobblers can be. */
import { describe, expect, test } from "vitest";
import { addEdge, type EdgesByPid, sortEdges } from "../bench/referee/edges.js";
import { fieldOffset, readSubBuffer } from "../bench/referee/ring-buffer.js";
import { joinWindows, measureWindows } from "../bench/referee/windows.js";
import { median, quantile, summarize, summarizeErrors, summarizeHistogram } from "../bench/statistics.js";

describe("quantiles", () => {
  test("are values that occurred, by nearest rank", () => {
    const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0, 0.01, 0.5, 0.99, 0.991, 1].map((q) => quantile(hundred, q))).toEqual([1, 1, 50, 99, 100, 100]);
  });

  test("of nothing are NaN", () => {
    expect(quantile(new Float64Array(), 0.5)).toBeNaN();
    expect(summarize([])).toMatchObject({ count: 0, p99: Number.NaN });
  });

  test("sort by number and leave the input as it is", () => {
    const values = [10, 9, 1, 100];
    expect(median(values)).toBe(9);
    expect(values).toEqual([10, 9, 1, 100]);
  });

  test("of errors count both directions", () => {
    expect(summarizeErrors([-5, 1, 2])).toEqual({ count: 3, mean: 8 / 3, p50: 2, p90: 5, p99: 5, max: 5 });
  });

  test("of a histogram lie in the middle of its bins", () => {
    const bins = new Map([
      [40, 1],
      [3, 90],
      [7, 9],
    ]);
    expect(summarizeHistogram(bins)).toMatchObject({ count: 100, p50: 3.5, p90: 3.5, p99: 7.5, max: 40.5 });
  });
});

const cycle = { runMs: 10, stopMs: 90 };
const ms = 1e6;

/** Resumed at each of these times (ms), stopped `run` later. */
function hobbled(resumedAt: readonly number[], run = 10): EdgesByPid {
  const edges: EdgesByPid = new Map();
  for (const time of resumedAt) {
    addEdge(edges, 1, time * ms, false);
    addEdge(edges, 1, (time + run) * ms, true);
  }
  return edges;
}

describe("windows", () => {
  const all = { fromNs: 0, toNs: 10_000 * ms };

  test("have signed errors against the cycle asked for", () => {
    const windows = measureWindows(hobbled([100, 203, 300], 12), cycle, all);
    expect(windows.runErrorsNs).toEqual([2 * ms, 2 * ms, 2 * ms]);
    expect(windows.stopErrorsNs).toEqual([1 * ms, -5 * ms]);
    expect(windows.processes).toBe(1);
  });

  test("that the interval cuts are left out, but count for the duty", () => {
    const windows = measureWindows(hobbled([100, 200, 300]), cycle, { fromNs: 105 * ms, toNs: 305 * ms });
    expect(windows.runErrorsNs).toEqual([0]);
    expect(windows.stopErrorsNs).toEqual([0, 0]);
    expect(windows.duty).toBeCloseTo(0.1, 12);
  });

  test("do not begin with a signal that changes nothing", () => {
    const edges = hobbled([100, 200]);
    addEdge(edges, 1, 150 * ms, true);
    sortEdges(edges);
    expect(measureWindows(edges, cycle, all).stopErrorsNs).toEqual([0]);
  });

  test("that an end of the interval cuts count apart, if the part within is too long already", () => {
    const edges = hobbled([100]);
    addEdge(edges, 1, 200 * ms, false);
    const windows = measureWindows(edges, cycle, { fromNs: 50 * ms, toNs: 250 * ms });
    expect(windows.runErrorsNs).toEqual([0]);
    expect(windows.cutRunErrorsNs).toEqual([40 * ms]);
    expect(windows.cutStopErrorsNs).toEqual([]);
    expect(measureWindows(edges, cycle, { fromNs: 110 * ms, toNs: 205 * ms }).cutRunErrorsNs).toEqual([]);
  });

  test("that began before the interval and outlast it count too, and so does a process that got no signal at all", () => {
    const interval = { fromNs: 400 * ms, toNs: 600 * ms };
    expect(measureWindows(hobbled([100]), cycle, interval)).toMatchObject({ cutRunErrorsNs: [], cutStopErrorsNs: [110 * ms], duty: 0 });
    const never: EdgesByPid = new Map([[1, { timesNs: [], stops: [] }]]);
    expect(measureWindows(never, cycle, interval)).toMatchObject({ cutRunErrorsNs: [190 * ms], cutStopErrorsNs: [], duty: 1 });
  });

  test("do not begin at a second SIGSTOP to a process that was stopped before the interval", () => {
    const edges = hobbled([100]);
    addEdge(edges, 1, 150 * ms, true);
    addEdge(edges, 1, 200 * ms, false);
    const windows = measureWindows(edges, cycle, { fromNs: 120 * ms, toNs: 205 * ms });
    expect(windows.stopErrorsNs).toEqual([]);
    expect(windows.duty).toBeCloseTo(5 / 85, 12);
  });

  test("that are skipped are missed, and are no drift", () => {
    const windows = measureWindows(hobbled([100, 200, 500, 600]), cycle, all);
    expect(windows.missed).toBe(2);
    expect(windows.driftPpm).toBeCloseTo(0, 9);
  });

  test("that come a little later each time drift", () => {
    const windows = measureWindows(hobbled([100, 200.001, 300.002, 400.003]), cycle, all);
    expect(windows.driftPpm).toBeCloseTo(10, 6);
  });

  test("are late against the punctual ones", () => {
    const times = Array.from({ length: 20 }, (_, period) => 100 * period);
    times[7] = 703;
    const lateness = measureWindows(hobbled(times), cycle, all).latenessNs;
    expect(lateness.filter((ns) => Math.abs(ns) > 1)).toEqual([3 * ms, 3 * ms]);
  });

  test("of a process that was never seen to stop have a duty of 1", () => {
    expect(measureWindows(new Map([[1, { timesNs: [], stops: [] }]]), cycle, all).duty).toBe(1);
  });

  test("of several rounds are joined by their number", () => {
    const joined = joinWindows([measureWindows(hobbled([100, 200]), cycle, all), measureWindows(hobbled([100, 300], 12), cycle, all)]);
    expect(joined.runErrorsNs).toEqual([0, 0, 2 * ms, 2 * ms]);
    expect(joined.missed).toBe(1);
  });
});

describe("the trace ring buffer", () => {
  /** A sub-buffer that begins at `timeNs`; words are 32 bits. */
  function subBuffer(timeNs: bigint, words: readonly number[], flags = 0): DataView {
    const page = new DataView(new ArrayBuffer(4096));
    page.setBigUint64(0, timeNs, true);
    page.setUint32(8, words.length * 4 + flags, true);
    words.forEach((word, index) => {
      page.setUint32(16 + index * 4, word, true);
    });
    return page;
  }

  /** Time and first data word of each record. */
  function records(page: DataView): [number, number][] {
    const seen: [number, number][] = [];
    readSubBuffer(page, (timeNs, data) => seen.push([timeNs, page.getUint32(data, true)]));
    return seen;
  }

  const header = (type: number, delta: number) => delta * 32 + type;

  test("adds up time deltas, extensions and absolute stamps", () => {
    const page = subBuffer(5_000_000_000n, [
      ...[header(1, 7), 111],
      ...[header(30, 1), 2],
      ...[header(2, 0), 222, 0],
      ...[header(31, 3), 50],
      ...[header(1, 1), 333],
    ]);
    const extended = 5_000_000_007 + 2 * 2 ** 27 + 1;
    expect(records(page)).toEqual([
      [5_000_000_007, 111],
      [extended, 222],
      [50 * 2 ** 27 + 4, 333],
    ]);
  });

  test("steps over discarded events and long records, and stops at the padding", () => {
    const page = subBuffer(0n, [...[header(29, 4), 8, 0], ...[header(0, 1), 12, 444, 0], ...[header(1, 1), 555], header(29, 0), 666]);
    expect(records(page)).toEqual([
      [5, 444],
      [6, 555],
    ]);
  });

  test("that lost events is refused", () => {
    expect(() => records(subBuffer(0n, [], 2 ** 31))).toThrow("overflowed");
  });

  test("tells where a field is", () => {
    const format = "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\tfield:pid_t pid;\toffset:36;\tsize:4;\tsigned:1;\n";
    expect(fieldOffset(format, "pid")).toBe(36);
    expect(() => fieldOffset(format, "sig")).toThrow('no field "sig"');
  });
});
