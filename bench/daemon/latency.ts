/** How soon a new process that matches is stopped for the first time, from before it is started. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../report/figures.js";
import { median, quantile } from "../statistics.js";
import { Service } from "./service.js";

const scanMs = 2000;

const rules = (folder: string) => `
[[rule]]
name = "new"
match = { executable = "${folder}/marked" }
hobble = { run = "10ms", stop = "250ms" }
`;

/** Looks at its state again and again; a look takes some 30 us. */
async function stoppedAfterMs(program: string): Promise<number> {
  const began = performance.now();
  const child = spawn(program, ["30"], { stdio: "ignore" });
  try {
    for (;;) {
      if (readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.startsWith("T")) return performance.now() - began;
      if (performance.now() - began > 3 * scanMs) throw new Error("the new process was never stopped");
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

async function latencies(events: "auto" | "off", trials: number): Promise<number[]> {
  const service = await Service.start({ rules, events, scan: `${scanMs}ms` });
  try {
    const program = `${service.folder}/marked`;
    copyFileSync("/bin/sleep", program);
    const found: number[] = [];
    for (let trial = 0; trial < trials; trial++) {
      await sleep(100 + Math.random() * 300);
      found.push(await stoppedAfterMs(program));
    }
    return found;
  } finally {
    await service.end();
  }
}

export async function latency(trials: number): Promise<Figure[]> {
  const scenario = "a new process is stopped";
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const told = await latencies("auto", trials);
  const scanned = await latencies("off", Math.ceil(trials / 5));
  return [
    atMost(scenario, "with process events, median", median(told), 20, ms),
    atMost(scenario, `with process events, p99 of ${told.length}`, quantile(Float64Array.from(told).sort(), 0.99), 20, ms),
    // The scan itself, and that a timer is never early.
    atMost(scenario, `without, longest of ${scanned.length}`, Math.max(...scanned), scanMs + 50, ms),
  ];
}
