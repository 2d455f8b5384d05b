/**
 * What the daemon costs: scanning beside ps-list, deciding, and all of it together. Beside nothing else; prints one table.
 *
 *   node build-bench/daemon.js [--processes 5000] [--rounds 5] [--seconds 20]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Herd } from "./herd.js";
import { repository } from "./native-programs.js";

/** What is used here of the daemon's modules, which are no part of the public API. */
interface Scan {
  list(): Promise<unknown>;
  readonly processes: ReadonlyMap<number, { readonly pid: number; readonly startTime: number }>;
}
interface Proc {
  ProcSource: new (texts: Iterable<string>) => Scan;
}
interface Rules {
  readConfiguration(files: { file: string; text: string }[]): { configuration?: { ruleSet: unknown; needs: Iterable<string> } };
}
interface Engine {
  RuleEngine: new (rules: unknown) => { decide(processes: Iterable<unknown>, world: unknown): unknown };
}
const load = <Module>(path: string): Promise<Module> => import(`${repository}/dist/${path}.js`) as Promise<Module>;

const { values } = parseArgs({ options: { processes: { type: "string" }, rounds: { type: "string" }, seconds: { type: "string" } } });
const processes = Number(values.processes ?? 5000);
const rounds = Number(values.rounds ?? 5);
const seconds = Number(values.seconds ?? 20);

const herdOptions = { kind: "idle", lifetimeSeconds: 600, shortestGapMs: 1, userId: undefined } as const;
const rows: string[][] = [];
const row = (what: string, value: string, goal: string) => rows.push([what, value, goal]);

/** CPU time of this process and of the children it has waited for, ms; the children in ticks of 10 ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  const stat = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (user + system) / 1e3 + (Number(stat[13]) + Number(stat[14])) * 10;
}

async function costMs(work: () => Promise<unknown>): Promise<number> {
  const before = cpuMs();
  await work();
  return cpuMs() - before;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The longest time that the event loop did not turn while `work` was under way, as CPU time of this thread: preemption is not ours. */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  const threadMs = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  let longest = 0;
  let last = threadMs();
  let going = true;
  const turn = () => {
    const now = threadMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  await new Promise((resolve) => setImmediate(resolve));
  going = false;
  return longest;
}

async function scanning(): Promise<void> {
  const { ProcSource } = await load<Proc>("discovery/proc");
  const { default: psList } = (await import(`${repository}/node_modules/ps-list/index.js`)) as { default: () => Promise<unknown[]> };
  await psList();
  const costs = { psList: [] as number[], first: [] as number[], whole: [] as number[], later: [] as number[], turn: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    costs.psList.push(await costMs(() => psList()));
    const source = new ProcSource(["user", "executable", "commandLine"]);
    costs.first.push(await costMs(() => source.list()));
    await sleep(500);
    costs.later.push(await costMs(() => source.list()));
    const whole = new ProcSource(["user", "groups", "executable", "commandLine", "cgroup"]);
    costs.whole.push(await costMs(() => whole.list()));
    const watched = new ProcSource(["user", "executable", "commandLine"]);
    costs.turn.push(await longestTurnMs(() => watched.list()), await longestTurnMs(() => watched.list()));
  }
  const peer = median(costs.psList);
  const against = (list: readonly number[]) => `${median(list).toFixed(1)} ms, 1/${(peer / median(list)).toFixed(1)}`;
  row(`ps-list, ${processes} processes`, `${peer.toFixed(1)} ms`, "");
  row("first scan, what ps-list tells too", against(costs.first), "1/3");
  row("first scan, everything", against(costs.whole), "1/3");
  row("later scans", against(costs.later), "1/10");
  row(
    "longest turn of the event loop (CPU time)",
    `${median(costs.turn).toFixed(2)} ms, most ${Math.max(...costs.turn).toFixed(2)} ms`,
    "5 ms",
  );
}

async function deciding(): Promise<void> {
  const { readConfiguration } = await load<Rules>("rules/configuration");
  const { RuleEngine } = await load<Engine>("rules/engine");
  const { ProcSource } = await load<Proc>("discovery/proc");
  const matches = (i: number) =>
    [
      `user = ["student${i}*", "guest${i}"], cpuAbove = "80%", for = "30s"`,
      `executable = "/opt/app${i}/bin/*", cpuAbove = "50%"`,
      `name = "worker-${i}", memoryAbove = "500MB"`,
      `cgroup = "/user.slice/user-${i}.slice/*", not = { command = '^/usr/sbin/' }, cpuSecondsAbove = 100`,
      `command = 'service-${i}.*--port=\\d+$', threadsAbove = 10`,
    ][i % 5];
  const toml = Array.from({ length: 500 }, (_, i) => `[[rule]]\nname = "r${i}"\nmatch = { ${matches(i)} }\nhobble = { limit = "5%" }\n`);
  const { configuration } = readConfiguration([{ file: "bench", text: toml.join("") }]);
  if (configuration === undefined) throw new Error("the rules are wrong");
  const source = new ProcSource(configuration.needs);
  await source.list();
  // Command lines that differ, as those of a real host do; the herd's are all the same.
  const made = [...source.processes.values()].map((info, index) => ({
    ...info,
    pid: info.pid,
    startTime: info.startTime,
    user: `student${index % 200}`,
    name: `worker-${index % 300}`,
    executable: `/opt/app${index % 700}/bin/x`,
    commandLine: `/opt/app${index % 700}/bin/x --service-${index % 400} -Xmx512m --port=${index}`,
    cgroup: `/user.slice/user-${index % 200}.slice/session-${index}.scope`,
    version: 1,
  }));
  const byPid = new Map(made.map((info) => [info.pid, info]));
  const first: number[] = [];
  const later: number[] = [];
  for (let round = 0; round < rounds + 2; round++) {
    const engine = new RuleEngine(configuration.ruleSet);
    let nowNs = 1e13;
    const decide = async () => {
      engine.decide(made, { nowNs, processes: byPid, lists: new Map(), pressures: {}, throttled: () => undefined });
      nowNs += 2e9;
    };
    first.push(await costMs(decide));
    later.push(await costMs(decide));
  }
  row(`deciding, 500 rules, ${made.length} processes, first`, `${median(first).toFixed(1)} ms`, "50 ms");
  row("the same, later", `${median(later).toFixed(1)} ms`, "less");
}

async function running(): Promise<void> {
  const herd = await Herd.start({ ...herdOptions, count: 2000 });
  const folder = mkdtempSync(join(tmpdir(), "hobble-bench-"));
  try {
    const file = join(folder, "hobble.toml");
    writeFileSync(join(folder, "pids"), herd.pids.slice(0, 1000).join("\n"));
    // A limit, and mostly idle: nothing needs a signal.
    writeFileSync(
      file,
      `[[rule]]\nname = "r"\nmatch = { any = [{ pidFile = "${folder}/pids" }] }\nhobble = { limit = "5%" }\n[[rule]]\nname = "s"\nmatch = { user = "student*", cpuAbove = "80%", for = "30s" }\nhobble = { limit = "5%" }\n`,
    );
    const script = `
      const { Daemon } = await import("${repository}/dist/daemon/daemon.js");
      const { loadConfiguration } = await import("${repository}/dist/rules/configuration.js");
      const { configuration } = await loadConfiguration(${JSON.stringify(file)});
      const daemon = await Daemon.start({ configuration, statePath: ${JSON.stringify(join(folder, "state.json"))}, version: "bench" });
      await new Promise((resolve) => setTimeout(resolve, 6000));
      const before = process.cpuUsage();
      const started = performance.now();
      await new Promise((resolve) => setTimeout(resolve, ${seconds * 1000}));
      const { user, system } = process.cpuUsage(before);
      const { engine, scan } = daemon.stats();
      console.log(JSON.stringify({ cpu: (user + system) / 1e3 / (performance.now() - started), rss: process.memoryUsage.rss(), targets: engine.targets, scanCpuNs: scan.scanCpuNs, decideCpuNs: scan.decideCpuNs, engineNs: engine.cpuNs / engine.elapsedNs, scoutNs: engine.scoutCpuNs / engine.elapsedNs, signals: engine.signals }));
      process.exit();
    `;
    const told = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    const { cpu, rss, targets, scanCpuNs, decideCpuNs, engineNs, scoutNs, signals } = JSON.parse(told) as Record<string, number>;
    row(`daemon, ${targets} targets, 2 s scan of 2000 processes`, `${((cpu ?? 0) * 100).toFixed(2)} % of a CPU`, "4 %");
    row("its memory", `${((rss ?? 0) / 1e6).toFixed(0)} MB`, "120 MB");
    row(
      "of it: a scan, a decision, timer threads, scout",
      `${((scanCpuNs ?? 0) / 1e6).toFixed(1)} ms, ${((decideCpuNs ?? 0) / 1e6).toFixed(1)} ms, ${((engineNs ?? 0) * 100).toFixed(2)} %, ${((scoutNs ?? 0) * 100).toFixed(2)} % (${signals} signals)`,
      "",
    );
  } finally {
    await herd.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const herd = await Herd.start({ ...herdOptions, count: processes });
try {
  await scanning();
  await deciding();
} finally {
  await herd.end();
}
await running();
const widths = [0, 1, 2].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
for (const cells of rows) console.log(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
