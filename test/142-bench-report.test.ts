/** The report: one page that needs nothing else, and tells the truth about runs that are worth nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { page } from "../bench/report/html/page.js";
import { suiteMarkdown } from "../bench/report/suite-markdown.js";
import { readOrders, UsageError } from "../bench/suite/command.js";
import { gauge, reasonsAgainst } from "../bench/suite/noise.js";
import { joinResults, readResults, writeResults } from "../bench/suite/store.js";
import { results } from "./helpers/bench-results.js";

const folder = mkdtempSync(`${tmpdir()}/hobble-bench-test-`);
afterAll(() => rmSync(folder, { recursive: true }));

const quiet = { p50Ns: 20e3, p99Ns: 60e3, maxNs: 90e3, by: "cyclictest", steal: 0, busy: 0.02, before: "" };

describe("the page", () => {
  const html = page(results({ seed: 1 }));

  test("needs no script and nothing from elsewhere", () => {
    expect(html).not.toMatch(/<script|<link|@import|url\(|src=|https?:/);
  });

  test("is for light and dark paper, and for narrow screens", () => {
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html).toContain('name="viewport"');
    expect(html.match(/class="plot narrow"/g)?.length).toBe(html.match(/class="plot wide"/g)?.length);
  });

  test("names who took part and who did not, and why", () => {
    expect(html).toContain("no: it is not installed");
    expect(html).toContain("3 of 9 signals");
  });

  test("escapes what it is given, and has no value that is none", () => {
    expect(html).toContain("a &lt;fast&gt; one");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("says first of all when a run must not be trusted, or the referee is wrong", () => {
    expect(page({ ...results({ seed: 1 }), unusable: ["somebody compiled"] })).toContain("Not to be trusted:</b> somebody compiled");
    const wrong = results({ seed: 1 }).selfChecks.map((check) => ({ ...check, right: false }));
    expect(page({ ...results({ seed: 1 }), selfChecks: wrong })).toContain("Nothing here may be believed");
  });
});

test("the Markdown holds the same figures", () => {
  const markdown = suiteMarkdown(results({ seed: 1 }));
  expect(markdown).toContain("Where hobble is not the best choice");
  expect(markdown).toMatch(/batched [34]\.\d+ µs/);
  expect(markdown).not.toMatch(/NaN|undefined/);
});

describe("the noise gauge", () => {
  test("refuses a stolen, a busy and a late host, and nothing else", () => {
    expect(reasonsAgainst([quiet, quiet, quiet])).toEqual([]);
    expect(reasonsAgainst([quiet, { ...quiet, busy: 0.9 }, quiet])).toEqual([]);
    expect(reasonsAgainst([{ ...quiet, steal: 0.2 }])[0]).toContain("hypervisor");
    expect(reasonsAgainst([{ ...quiet, busy: 0.6 }])[0]).toContain("something else");
    expect(reasonsAgainst([{ ...quiet, p99Ns: 3e6 }])[0]).toContain("late");
  });

  test("reads this host", async () => {
    const read = await gauge("a test");
    expect(read.p50Ns).toBeGreaterThan(0);
    expect(read.maxNs).toBeGreaterThanOrEqual(read.p99Ns);
    expect(read.busy).toBeGreaterThanOrEqual(-0.01);
    expect(read.busy).toBeLessThanOrEqual(1.01);
  });
});

describe("result files", () => {
  test("come back as they were written", () => {
    const written = results({ seed: 5 });
    writeResults(`${folder}/a.json`, written);
    const read = readResults(`${folder}/a.json`);
    expect(read.observations).toHaveLength(written.observations.length);
    expect(read.entries).toEqual(written.entries);
    expect(readFileSync(`${folder}/a.json`, "utf8")).not.toContain("NaN");
  });

  test("of something else are refused by name", () => {
    writeFileSync(`${folder}/b.json`, "{}");
    expect(() => readResults(`${folder}/b.json`)).toThrow("b.json has the format of something else");
    expect(() => readResults(`${folder}/none.json`)).toThrow("none.json");
  });

  test("of pieces become one: a scenario that was run again counts once", () => {
    const first = results({ seed: 1 });
    const more = results({ seed: 2 });
    const [reading] = more.gauges;
    const noisy = reading === undefined ? [] : Array.from({ length: 3 }, () => ({ ...reading, busy: 0.9 }));
    const joined = joinResults(first, { ...more, checks: [], gauges: noisy });
    expect(joined.observations).toHaveLength(first.observations.length);
    expect(joined.checks).toEqual(first.checks);
    // Judged by all readings of all pieces.
    expect(joined.unusable[0]).toContain("something else");
  });
});

describe("the command line", () => {
  test.each([
    [["nonsense"], "nonsense"],
    [["--only", "nothing-like-it"], "nothing-like-it"],
    [["compare", "one.json"], "two result files"],
    [["report"], "one result file"],
    [["quick", "more"], "too much"],
    [["--bogus"], "--bogus"],
    [["--points", "3 busy"], "1,000 busy"],
    [["quick", "--points", "1,000 busy"], "100 busy"],
  ])("%j is wrong usage", (args, words) => {
    expect(() => readOrders(args)).toThrow(UsageError);
    expect(() => readOrders(args)).toThrow(words);
  });

  test("quick, compare, report and all are told apart", () => {
    expect(readOrders(["quick"])).toMatchObject({ what: "run", effort: { name: "quick" } });
    expect(readOrders([])).toMatchObject({ what: "run", effort: { name: "full" } });
    expect(readOrders(["compare", "a", "b"])).toEqual({ what: "compare", before: "a", after: "b" });
    expect(readOrders(["report", "a"])).toEqual({ what: "report", file: "a" });
    expect(readOrders(["--help"])).toEqual({ what: "help" });
  });
});
