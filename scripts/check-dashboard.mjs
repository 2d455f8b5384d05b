#!/usr/bin/env node
/**
 * Lets a real Prometheus (Debian: prometheus) scrape a daemon that hobbles something, and asks it every query of the Grafana dashboard. Each must be
 * answered with at least one series.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** A rate needs two scrapes. */
const patienceMs = 30_000;

const folder = mkdtempSync(join(tmpdir(), "hobble-dashboard-"));
/** @type {import("node:child_process").ChildProcess[]} */
const children = [];

/** @param {string} command @param {string[]} words */
function start(command, words) {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (piece) => (said += piece));
  child.on("exit", (code, signal) => {
    if (code) console.error(`${command} ended with ${code ?? signal}:\n${said}`);
  });
  children.push(child);
  return child;
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @returns {string[]} */
function queries() {
  /** @type {{ panels: { targets: { expr: string }[] }[] }} */
  const dashboard = JSON.parse(readFileSync(`${root}packaging/grafana/hobble.json`, "utf8"));
  return dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll("$instance", ".+")));
}

/** @param {string} url @param {string} query @returns {Promise<number>} series in the answer */
async function ask(url, query) {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
  if (response.status === 503) return 0; // it reads its own disk yet
  const { status, error, data } = /** @type {{ status: string, error?: string, data?: { result: unknown[] } }} */ (await response.json());
  if (status !== "success") throw new Error(`${query}: ${error}`);
  return data?.result.length ?? 0;
}

/** @returns {Promise<number>} queries without an answer */
async function check() {
  const [metrics, web] = [await freePort(), await freePort()];
  const sleeper = start("sleep", ["600"]);
  writeFileSync(join(folder, "tarpit"), String(sleeper.pid));
  writeFileSync(
    join(folder, "hobble.toml"),
    `[daemon]
scan = "500ms"
socket = "${folder}/hobble.sock"
state = "${folder}/state.json"
metrics = "127.0.0.1:${metrics}"
[engine]
runtimeDir = "${folder}/run"
[[rule]]
name = "tarpit"
match = { pidFile = "${folder}/tarpit" }
hobble = { run = "10ms", stop = "50ms" }
`,
  );
  writeFileSync(
    join(folder, "prometheus.yml"),
    `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: hobble, static_configs: [{ targets: ["127.0.0.1:${metrics}"] }] }]
`,
  );
  start(process.execPath, [`${root}dist/cli/main.js`, "daemon", "-c", join(folder, "hobble.toml")]);
  start("prometheus", [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${web}`,
  ]);

  let unanswered = queries();
  for (const deadline = performance.now() + patienceMs; unanswered.length > 0 && performance.now() < deadline; await sleep(500)) {
    /** @type {string[]} */
    const left = [];
    for (const query of unanswered) {
      const series = await ask(`http://127.0.0.1:${web}`, query).catch((error) => {
        if (error instanceof TypeError) return 0; // it does not listen yet
        throw error;
      });
      if (series === 0) left.push(query);
      else console.log(`ok      ${query}: ${series}`);
    }
    unanswered = left;
  }
  for (const query of unanswered) console.log(`FAILED  ${query}: no series`);
  return unanswered.length;
}

try {
  process.exitCode = (await check()) === 0 ? 0 : 1;
} finally {
  for (const child of children.reverse()) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.signalCode === null && child.kill("SIGTERM")) await gone;
  }
  rmSync(folder, { recursive: true, force: true });
}
