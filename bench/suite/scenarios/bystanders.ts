/** What innocents feel beside hobbled targets: a thread that wakes up, a compiler, a server. */
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { monotonicNs, sleepSeconds } from "../../clock.js";
import { compilerWords, repository } from "../../native-programs.js";
import type { Measurement } from "../../statistics/measurement.js";
import { type BenchLab, type BenchScenario, cycle, takeTurns } from "../bench-lab.js";
import { Bystander, latencies } from "../bystander.js";
import { trial } from "../trial.js";

const run = promisify(execFile);
const count = 100;
/**
 * One of each kind: each takes the time of three bystanders. Not a limit for each, as these add up to more than the host has: that is what pools
 * are for, and `npm run bench:limit` measures them.
 */
const compared = ["hobble", "hobble-freeze", "asyncio", "freezer-v2", "quota-v1", "quota-v2", "nothing"];
/** Latency only: beside targets that run freely a compilation alone takes ten seconds. */
const quick = ({ effort }: BenchLab) => effort.name === "quick";
const comparedQuickly = ["hobble", "asyncio", "quota-v1", "quota-v2", "nothing"];
/** Asked at once of a server whose time is up only between two batches: undisturbed it takes 40 ms for them. */
const batch = 1000;

/** Compiles one of the bench's own programs until the time is up; the last one counts by the part of it that was in time. */
async function compile(seconds: number): Promise<Measurement> {
  const [compiler = "cc", ...words] = compilerWords();
  const folder = mkdtempSync(`${tmpdir()}/hobble-bench-`);
  const begin = monotonicNs();
  let done = 0;
  try {
    while (monotonicNs() < begin + seconds * 1e9) {
      await run(compiler, [...words, "-O2", "-pthread", "-o", `${folder}/out`, `${repository}/bench/native/herd.c`]);
      done++;
    }
    return { kind: "ratio", parts: [[done, (monotonicNs() - begin) / 60e9]] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface RedisFigures {
  requests: Measurement;
  requestP99: Measurement;
}

/** A server of its own on a socket of its own; its memory only. Its rate is that of whole batches, their number what the time has room for. */
async function redis(seconds: number): Promise<RedisFigures | undefined> {
  const folder = mkdtempSync(`${tmpdir()}/hobble-bench-`);
  const socket = `${folder}/redis`;
  const options = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder];
  const server = spawn("setpriv", ["--pdeathsig", "KILL", "--", "redis-server", ...options], { stdio: "ignore" });
  const exit = once(server, "exit");
  try {
    for (let attempt = 0; attempt < 200 && !existsSync(socket); attempt++) await sleepSeconds(0.02);
    const args = ["-s", socket, "-t", "get", "-c", "4", "-n", String(batch), "--csv"];
    const requests: [number, number][] = [];
    const p99s: number[] = [];
    const endNs = monotonicNs() + seconds * 1e9;
    while (monotonicNs() < endNs) {
      const { stdout } = await run("redis-benchmark", args, { timeout: 30_000 });
      const [, rate, , , , , p99] = /"GET","([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)"/.exec(stdout) ?? [];
      if (rate === undefined) return undefined;
      requests.push([batch, batch / Number(rate)]);
      p99s.push(Number(p99) * 1e6);
    }
    return { requests: { kind: "ratio", parts: requests }, requestP99: { kind: "median", parts: p99s } };
  } finally {
    server.kill("SIGKILL");
    await exit;
    rmSync(folder, { recursive: true });
  }
}

function installed(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

export const bystanders: BenchScenario = {
  name: "bystanders",
  about: "latency, compilations and Redis requests of innocents beside 100 busy targets",
  async run(lab) {
    const withRedis = installed("redis-server") && installed("redis-benchmark");
    if (!withRedis) lab.found.notes.push("bystanders: no Redis here (redis-server, redis-benchmark)");
    const among = lab.entrants.filter(({ id }) => (quick(lab) ? comparedQuickly : compared).includes(id));
    await takeTurns(lab, Math.min(2, lab.effort.rounds), among, async (one, round) => {
      lab.log(`bystanders: ${one.name}`);
      const seconds = lab.effort.seconds;
      const metrics: Record<string, Measurement> = {};
      const meanwhile = () => visit(lab, metrics, withRedis);
      await trial(lab, one, { count, load: "busy", cycle, seconds: quick(lab) ? seconds : 3 * seconds, meanwhile });
      lab.found.observations.push({ scenario: "bystanders", point: `${count} busy`, count, contestant: one.id, round, metrics });
    });
    await alone(lab, withRedis);
  },
};

/** One after the other: each would be the others' load. */
async function visit(lab: BenchLab, metrics: Record<string, Measurement>, withRedis: boolean): Promise<void> {
  const { seconds } = lab.effort;
  const waking = await Bystander.start("latency");
  await sleepSeconds(seconds);
  Object.assign(metrics, latencies(await waking.end()));
  if (quick(lab)) return;
  metrics.compiles = await compile(seconds);
  if (withRedis) Object.assign(metrics, await redis(seconds));
}

/** The same without any targets. */
async function alone(lab: BenchLab, withRedis: boolean): Promise<void> {
  for (let round = 0; round < Math.min(2, lab.effort.rounds); round++) {
    const metrics: Record<string, Measurement> = {};
    await visit(lab, metrics, withRedis);
    lab.found.observations.push({ scenario: "bystanders", point: `${count} busy`, count, contestant: "no targets", round, metrics });
  }
}
