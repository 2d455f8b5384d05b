/** What rules decide as time passes: hysteresis, recovery, escalation, precedence, pressure, restarts. Made-up processes and clocks. */
import { describe, expect, test } from "vitest";
import { readConfiguration } from "../src/rules/configuration.js";
import { MadeUpHost, madeUp } from "./helpers/made-up.js";

const runaways = `
[[rule]]
name = "runaways"
match = { user = "student*", cpuAbove = "80%", for = "30s" }
hobble = { limit = "5%" }
recover = { after = "10m", unthrottledFor = "60s" }
`;

describe("hysteresis", () => {
  test("a condition must hold for as long as `for` says, without a break", () => {
    const host = new MadeUpHost(runaways, madeUp());
    expect(host.pass(28, 0.97).wanted).toEqual({});
    expect(host.pass(2, 0.1).wanted).toEqual({});
    expect(host.pass(28, 0.97).wanted).toEqual({});
    expect(host.pass(8, 0.97).wanted).toEqual({ 100: "runaways" });
  });

  test("the reason tells what was found", () => {
    const host = new MadeUpHost(runaways, madeUp());
    const { decisions } = host.pass(40, 0.97);
    expect([...decisions.wanted.values()][0]?.reason).toBe('user "student*", cpuAbove 80 % (it uses 97 %)');
  });

  test("what hobbling takes away does not end it; lack of demand does, after both times", () => {
    const host = new MadeUpHost(runaways, madeUp());
    host.pass(40, 0.97);
    host.throttled = true;
    expect(host.pass(1200, 0.05).wanted).toEqual({ 100: "runaways" });
    host.throttled = false;
    expect(host.pass(58, 0.01).wanted).toEqual({ 100: "runaways" });
    const { wanted, turns } = host.pass(4, 0.01);
    expect(wanted).toEqual({});
    expect(turns).toEqual([]);
  });

  test("lack of demand ends nothing before `after`", () => {
    const host = new MadeUpHost(runaways, madeUp());
    host.pass(40, 0.97);
    host.throttled = false;
    expect(host.pass(560, 0).wanted).toEqual({ 100: "runaways" });
    expect(host.pass(60, 0).wanted).toEqual({});
  });

  test("without `recover` a rule on CPU use lets go after a minute without demand", () => {
    const host = new MadeUpHost(runaways.replace(/recover.*\n/, ""), madeUp());
    host.pass(40, 0.97);
    host.throttled = false;
    expect(host.pass(56, 0).wanted).toEqual({ 100: "runaways" });
    expect(host.pass(8, 0).wanted).toEqual({});
  });

  test("other conditions end it at once", () => {
    const host = new MadeUpHost(runaways, madeUp());
    host.pass(40, 0.97);
    const process = host.processes.get(100);
    Object.assign(process ?? {}, { user: "root", version: 1 });
    const { wanted, turns } = host.scan();
    expect(wanted).toEqual({});
    expect(turns).toEqual(["100 left runaways"]);
  });

  test("a rule on a list lets go with the list", () => {
    const host = new MadeUpHost('[[rule]]\nname = "t"\nmatch = { pidFile = "/l" }\nhobble = { run = "10ms", stop = "250ms" }', madeUp());
    host.lists.set("/l", new Set([100]));
    expect(host.scan().wanted).toEqual({ 100: "t" });
    host.lists.set("/l", new Set());
    expect(host.scan().turns).toEqual(["100 left t"]);
  });
});

describe("CPU use", () => {
  test("is not known of an old process before the second scan", () => {
    const host = new MadeUpHost(runaways.replace(/, for = "30s"/, ""), madeUp({ cpuNs: 3600e9 }));
    expect(host.scan().wanted).toEqual({});
    expect(host.pass(2, 1).wanted).toEqual({ 100: "runaways" });
  });

  test("of a young process counts from its start", () => {
    const toml = runaways.replace(/, for = "30s"/, "");
    const busy = new MadeUpHost(toml, madeUp({ startTime: 359_900, cpuNs: 0.9e9 }));
    expect(busy.scan().wanted).toEqual({ 100: "runaways" });
    const idle = new MadeUpHost(toml, madeUp({ startTime: 359_900, cpuNs: 0.1e9 }));
    expect(idle.scan().wanted).toEqual({});
  });

  test("looks that follow each other closely do not make it unknown", () => {
    const host = new MadeUpHost(runaways.replace('for = "30s"', 'for = "1s"'), madeUp());
    const process = host.processes.get(100) ?? madeUp();
    let last = host.scan();
    for (let look = 0; look < 60; look++) {
      // 199 ms, then 1 ms.
      const ns = look % 2 === 0 ? 199e6 : 1e6;
      host.nowNs += ns;
      process.cpuNs += ns;
      process.readAtNs = host.nowNs;
      last = host.scan();
    }
    expect(last.wanted).toEqual({ 100: "runaways" });
  });

  test("over a longer time a short burst does not count", () => {
    const toml = '[[rule]]\nname = "r"\nmatch = { cpuAbove = "50%", cpuOver = "20s" }\nhobble = { limit = "5%" }';
    const host = new MadeUpHost(toml, madeUp());
    host.pass(30, 0.1);
    expect(host.pass(6, 1).wanted).toEqual({});
    expect(host.pass(8, 1).wanted).toEqual({ 100: "r" });
  });
});

describe("escalation", () => {
  const toml = runaways.replace(
    /recover.*\n/,
    'escalate = [{ after = "10m", limit = "2%" }, { after = "20m", run = "1ms", stop = "99ms" }]\nrecover = { after = "1h" }\n',
  );

  test("goes from tier to tier, and tells of each once", () => {
    const host = new MadeUpHost(toml, madeUp());
    host.pass(32, 0.97);
    const at = (seconds: number) => {
      const { decisions, turns } = host.pass(seconds, 0.05);
      const [verdict] = decisions.wanted.values();
      return { tier: verdict?.tier, amount: verdict?.amount, turns };
    };
    expect(at(500)).toMatchObject({ tier: 0, amount: { limit: 0.05 } });
    expect(at(110)).toMatchObject({ tier: 1, amount: { limit: 0.02 } });
    expect(at(600)).toMatchObject({ tier: 2, amount: { run: 1e6, stop: 99e6 } });
    expect(at(2).turns).toEqual([]);
    expect(host.pass(2500, 0.05).wanted).toEqual({});
  });
});

describe("precedence", () => {
  const two = (combine: string) => `
[daemon]
combine = "${combine}"
[[rule]]
name = "mild"
match = { user = "student*" }
hobble = { limit = "50%" }
[[rule]]
name = "hard"
match = { name = "python3" }
hobble = { run = "1ms", stop = "99ms" }
`;

  test("the first rule wins", () => {
    const host = new MadeUpHost(two("first"), madeUp(), madeUp({ pid: 101, user: "root" }));
    expect(host.scan().wanted).toEqual({ 100: "mild", 101: "hard" });
    const process = host.processes.get(100);
    const trials = process && host.engine.explain(process, host.world(), (ns) => ns);
    expect(trials?.map(({ outcome }) => outcome)).toEqual(["applies", "shadowed"]);
  });

  test("or the strictest", () => {
    const host = new MadeUpHost(two("strictest"), madeUp(), madeUp({ pid: 101, name: "sh" }));
    expect(host.scan().wanted).toEqual({ 100: "hard", 101: "mild" });
  });

  test("a rule that watches decides, tells, and stands in nobody's way", () => {
    const host = new MadeUpHost(two("first").replace('name = "mild"', 'name = "mild"\nmode = "watch"'), madeUp());
    const { wanted, turns } = host.scan();
    expect(wanted).toEqual({ 100: "hard" });
    expect(turns).toEqual(["100 entered mild", "100 entered hard"]);
    expect(host.scan().turns).toEqual([]);
  });

  test("when an earlier rule takes hold, the later one lets go", () => {
    const host = new MadeUpHost(two("first").replace('user = "student*"', "cpuSecondsAbove = 10"), madeUp());
    expect(host.scan().wanted).toEqual({ 100: "hard" });
    const { wanted, turns } = host.pass(12, 1);
    expect(wanted).toEqual({ 100: "mild" });
    expect(turns).toEqual(["100 entered mild", "100 left hard"]);
  });
});

describe("pressure", () => {
  const pressed = '[[rule]]\nname = "r"\nmatch = { user = "student*" }\nwhen = { cpuPressure = "10%" }\nhobble = { limit = "5%" }';

  test("a rule takes hold only while others wait, and lets go at half of that", () => {
    const host = new MadeUpHost(pressed, madeUp());
    host.pressures = { cpu: 0.09 };
    expect(host.scan().wanted).toEqual({});
    host.pressures = { cpu: 0.11 };
    expect(host.scan().wanted).toEqual({ 100: "r" });
    host.pressures = { cpu: 0.06 };
    expect(host.scan().wanted).toEqual({ 100: "r" });
    host.pressures = { cpu: 0.04 };
    expect(host.scan().turns).toEqual(["100 left r"]);
    host.pressures = { cpu: 0.09 };
    expect(host.scan().wanted).toEqual({});
  });

  test("a kernel that does not tell counts as no pressure", () => {
    expect(new MadeUpHost(pressed, madeUp()).scan().wanted).toEqual({});
  });

  test("what it waits for is explained", () => {
    const host = new MadeUpHost(pressed, madeUp());
    host.scan();
    const process = host.processes.get(100);
    const trials = process && host.engine.explain(process, host.world(), (ns) => ns);
    expect(trials).toMatchObject([{ outcome: "waiting", condition: "when: others do not have to wait" }]);
  });
});

describe("by hand, and over restarts", () => {
  test("what was lifted is not taken again before it has not matched for once", () => {
    const host = new MadeUpHost('[[rule]]\nname = "r"\nmatch = { threadsAbove = 2 }\nhobble = { limit = "5%" }', madeUp());
    const process = host.processes.get(100) ?? madeUp();
    expect(host.scan().wanted).toEqual({ 100: "r" });
    host.engine.pardon(process, host.nowNs);
    expect(host.pass(60).wanted).toEqual({});
    process.threads = 1;
    expect(host.pass(2).wanted).toEqual({});
    process.threads = 3;
    expect(host.pass(2).wanted).toEqual({ 100: "r" });
  });

  test("a restart goes on where it was: no `for` again, the same tier", () => {
    const toml = runaways.replace(/recover.*\n/, 'escalate = [{ after = "10m", limit = "2%" }]\nrecover = { after = "1h" }\n');
    const before = new MadeUpHost(toml, madeUp());
    before.pass(700, 0.97);
    const forces = before.engine.forces(before.processes.values());
    const after = new MadeUpHost(toml, madeUp({ cpuNs: 600e9 }));
    after.nowNs = before.nowNs + 60e9;
    after.engine.restore(forces);
    expect(after.pass(2, 0.02).wanted).toEqual({ 100: "runaways tier 1" });
  });

  test("another process with the same PID inherits nothing", () => {
    const before = new MadeUpHost(runaways, madeUp());
    before.pass(40, 0.97);
    const after = new MadeUpHost(runaways, madeUp({ startTime: 5 }));
    after.engine.restore(before.engine.forces(before.processes.values()));
    expect(after.pass(2, 0.97).wanted).toEqual({});
  });

  test("new rules keep what one of the same name has taken hold of", () => {
    const host = new MadeUpHost(runaways, madeUp());
    host.pass(40, 0.97);
    const { configuration } = readConfiguration([{ file: "x", text: runaways.replace("5%", "3%") }]);
    if (configuration === undefined) throw new Error("bad test");
    host.engine.replace(configuration.ruleSet, host.processes.values(), host.nowNs);
    const { decisions } = host.pass(2, 0.03);
    expect([...decisions.wanted.values()][0]?.amount).toMatchObject({ limit: 0.03 });
  });

  test("a rule that is gone lets go", () => {
    const host = new MadeUpHost(runaways, madeUp());
    host.pass(40, 0.97);
    host.engine.replace({ rules: [], combine: "first", pools: new Map(), cpuOverNs: undefined }, host.processes.values(), host.nowNs);
    expect(host.pass(2, 0.97).wanted).toEqual({});
  });
});
