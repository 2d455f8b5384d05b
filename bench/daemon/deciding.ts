/** What it costs to try all rules on all processes. */
// Not public, but what the daemon decides with.
import type { ProcessInfo } from "../../dist/discovery/process-info.js";
import { readConfiguration } from "../../dist/rules/configuration.js";
import { RuleEngine } from "../../dist/rules/engine.js";
import { atMost, type Figure } from "../report/figures.js";
import { median } from "../statistics.js";
import { costMs } from "./costs.js";

const ruleCount = 500;

/** All kinds of conditions: names, patterns, expressions, figures that change. */
const matches = (i: number) =>
  [
    `user = ["student${i}*", "guest${i}"], cpuAbove = "80%", for = "30s"`,
    `executable = "/opt/app${i}/bin/*", cpuAbove = "50%"`,
    `name = "worker-${i}", memoryAbove = "500MB"`,
    `cgroup = "/user.slice/user-${i}.slice/*", not = { command = '^/usr/sbin/' }, cpuSecondsAbove = 100`,
    `command = 'service-${i}.*--port=\\d+$', threadsAbove = 10`,
  ][i % 5];

/** Processes that differ from one another, as those of a real host do. */
function madeUp(count: number): ProcessInfo[] {
  return Array.from({ length: count }, (_, index) => ({
    pid: 1000 + index,
    parentPid: 1,
    processGroup: 1000 + index,
    session: 1000 + index,
    startTime: 100_000 + index,
    name: `worker-${index % 300}`,
    uid: 1000 + (index % 200),
    user: `student${index % 200}`,
    groups: "",
    executable: `/opt/app${index % 700}/bin/x`,
    commandLine: `/opt/app${index % 700}/bin/x --service-${index % 400} -Xmx512m --port=${index}`,
    cgroup: `/user.slice/user-${index % 200}.slice/session-${index}.scope`,
    state: "S",
    threads: 1,
    nice: 0,
    residentBytes: 10e6,
    cpuNs: 1e9,
    waitedNs: 0,
    readAtNs: 1e13,
    version: 1,
  }));
}

export async function deciding(processes: number, rounds: number): Promise<Figure[]> {
  const toml = Array.from(
    { length: ruleCount },
    (_, i) => `[[rule]]\nname = "r${i}"\nmatch = { ${matches(i)} }\nhobble = { limit = "5%" }\n`,
  );
  const { configuration } = readConfiguration([{ file: "bench", text: toml.join("") }]);
  if (configuration === undefined) throw new Error("the rules are wrong");
  const made = madeUp(processes);
  const byPid = new Map(made.map((info) => [info.pid, info]));
  const first: number[] = [];
  const later: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const engine = new RuleEngine(configuration.ruleSet);
    let nowNs = 1e13;
    const decide = async () => {
      engine.decide(made, { nowNs, processes: byPid, lists: new Map(), pressures: {}, throttled: () => undefined });
      nowNs += 2e9;
    };
    first.push(await costMs(decide));
    later.push(await costMs(decide));
  }
  const scenario = `${ruleCount} rules, ${processes} processes`;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const once = median(first);
  return [atMost(scenario, "deciding, all new", once, 50, ms), atMost(scenario, "deciding, nothing new", median(later), once, ms)];
}
