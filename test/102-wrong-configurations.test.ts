/** What is wrong with a configuration is told with its line, its column and what to do. The table is test/fixtures/wrong-configurations.txt. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readConfiguration } from "../src/rules/configuration.js";

const table = readFileSync(new URL("fixtures/wrong-configurations.txt", import.meta.url), "utf8")
  .split(/^=== /m)
  .slice(1)
  .map((entry) => {
    const [name = "", ...lines] = entry.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
    const problems = lines.filter((line) => line.startsWith("--- ")).map((line) => line.slice(4));
    const text = lines.filter((line) => !line.startsWith("--- ")).join("\n");
    return { name, text: text.replace("\\x01", "\u0001"), problems };
  });

test("the table is long", () => {
  expect(table.length).toBeGreaterThan(150);
  expect(table.every(({ problems }) => problems.length > 0)).toBe(true);
});

test.each(table)("$name", ({ text, problems }) => {
  const { configuration, problems: found } = readConfiguration([{ file: "f", text }]);
  expect(configuration).toBeUndefined();
  expect(found.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual(problems);
});

const good = `
[daemon]
scan = "2s"
[[rule]]
name = "runaways"
match = { user = ["student*"], cpuAbove = "80%", for = "30s", not = { command = '^/usr/sbin/' } }
when = { cpuPressure = "10%" }
hobble = { limit = "5%", tree = true, pool = "tarpit" }
recover = { after = "10m", unthrottledFor = "60s" }
escalate = [{ after = "10m", limit = "2%" }]
[pool.tarpit]
limit = 0.5
concurrency = 1
[[quota]]
per = "user"
cpuSeconds = 2000
every = "1d"
exempt = ["root"]
tiers = [{ limit = "50%" }, { limit = "20%" }, { pool = "tarpit", limit = "5%" }]
decay = "3h"
`;

describe("several files", () => {
  test("a part may add rules, and use what the main file has", () => {
    const part = '[[rule]]\nname = "x"\nmatch = { user = "a" }\nhobble = { pool = "tarpit" }';
    const { configuration, problems } = readConfiguration([
      { file: "main", text: good },
      { file: "part", text: part },
    ]);
    expect(problems).toEqual([]);
    expect(configuration?.ruleSet.rules.map(({ name }) => name)).toEqual(["runaways", "x"]);
  });

  test("a problem is told with the file it is in", () => {
    const { problems } = readConfiguration([
      { file: "main", text: good },
      { file: "part", text: '[[rule]]\nname = "runaways"\nmatch = { user = "a" }\nhobble = { limit = 1 }' },
    ]);
    expect(problems).toEqual([
      { file: "part", line: 2, column: 1, message: 'the name "runaways" is taken by the one in main, line 5; give this rule another' },
    ]);
  });

  test("only the main file has settings of the daemon", () => {
    const { problems } = readConfiguration([
      { file: "main", text: good },
      { file: "part", text: '[daemon]\nscan = "1s"' },
    ]);
    expect(problems[0]).toMatchObject({ file: "part", line: 1, column: 2 });
  });
});

describe("whatever is given, there is a configuration or a problem, and no crash", () => {
  const runs = Number(process.env.HOBBLE_FUZZ_RUNS ?? 1500);

  function read(text: string): void {
    const { configuration, problems } = readConfiguration([{ file: "f", text }]);
    expect((configuration === undefined) !== (problems.length === 0)).toBe(true);
    for (const { line, column, message } of problems) {
      expect(line ?? 1).toBeGreaterThan(0);
      expect(column ?? 1).toBeGreaterThan(0);
      expect(message.length).toBeGreaterThan(5);
      expect(message.length).toBeLessThan(2000);
    }
  }

  test("a good one with pieces cut out, doubled, or replaced", () => {
    const edit = fc.record({
      at: fc.nat(good.length),
      cut: fc.nat(12),
      put: fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom('"', "[", "]", "{", "}", "=", "\n", "'", ",", "0", "-1", "nan", "inf", '"""', "[[rule]]\n", "__proto__"),
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        read(edits.reduce((text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut), good));
      }),
      { numRuns: runs },
    );
  });

  test("settings that exist with values that do not fit", () => {
    const keys = [
      "daemon",
      "engine",
      "rule",
      "pool",
      "quota",
      "notify",
      "match",
      "user",
      "any",
      "not",
      "hobble",
      "limit",
      "tiers",
      "name",
      "for",
      "__proto__",
      "constructor",
      "command",
      "cpuAbove",
      "escalate",
    ];
    const key = fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 4 })).map((text) => JSON.stringify(text));
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text)),
        fc.integer().map(String),
        fc.constantFrom("true", "nan", "inf", "1979-05-27", "1e400", '"5%"', '"10ms"', '"(a|b"', "0x7f", "9223372036854775807"),
        fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
        fc
          .uniqueArray(fc.tuple(key, tie("value")), { maxLength: 4, selector: ([name]) => name })
          .map((entries) => `{ ${entries.map(([name, inner]) => `${name} = ${inner}`).join(", ")} }`),
      ),
    }));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { maxLength: 4, selector: ([name]) => name }), (entries) => {
        read(entries.map(([name, inner]) => `${name} = ${inner}`).join("\n"));
      }),
      { numRuns: runs },
    );
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => read(text)),
      { numRuns: runs },
    );
  });
});
