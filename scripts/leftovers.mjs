#!/usr/bin/env node
/**
 * `leftovers.mjs MARK`: which processes that were started with HOBBLE_RUN=MARK in their environment are stopped, or burn CPU?
 * Prints and kills them, and exits with 1 if there were any. Other processes are not looked at: a shared machine has
 * stopped and busy ones of its own.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const mark = process.argv[2];
if (!mark) throw new Error("usage: leftovers.mjs MARK");

const OBSERVED_MS = 1_000;
/** 200 ms of a second: far above what an idle process spends. The kernel counts in ticks of 10 ms. */
const BURNING_TICKS = 20;

/** @typedef {{ pid: number, parentPid: number, startTime: string, name: string, state: string, cpuTicks: number }} Process */

/** @param {number} pid @returns {Process | undefined} */
function readProcess(pid) {
  try {
    if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`HOBBLE_RUN=${mark}`)) return undefined;
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name may hold spaces and brackets; the last bracket ends it.
    const end = stat.lastIndexOf(")");
    const fields = stat.slice(end + 2).split(" ");
    const [state = "", parentPid = ""] = fields;
    const cpuTicks = Number(fields[11]) + Number(fields[12]);
    return {
      pid,
      parentPid: Number(parentPid),
      startTime: fields[19] ?? "",
      name: stat.slice(stat.indexOf("(") + 1, end),
      state,
      cpuTicks,
    };
  } catch {
    return undefined;
  }
}

/** The marked processes, without this one and its ancestors. @returns {Map<number, Process>} */
function readMarked() {
  const marked = new Map();
  for (const entry of readdirSync("/proc")) {
    const found = /^\d+$/.test(entry) ? readProcess(Number(entry)) : undefined;
    if (found) marked.set(found.pid, found);
  }
  for (let pid = process.pid; marked.has(pid); ) {
    const { parentPid } = marked.get(pid);
    marked.delete(pid);
    pid = parentPid;
  }
  return marked;
}

const before = readMarked();
await sleep(OBSERVED_MS);
const left = [...readMarked().values()].flatMap((now) => {
  const earlier = before.get(now.pid);
  if (now.state === "T" || now.state === "t") return [{ ...now, verdict: "stopped" }];
  const burnt = earlier?.startTime === now.startTime ? now.cpuTicks - earlier.cpuTicks : 0;
  return burnt >= BURNING_TICKS ? [{ ...now, verdict: "burning" }] : [];
});

for (const { pid, name, verdict } of left) {
  console.log(`left ${verdict}: PID ${pid} (${name})`);
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}
process.exitCode = left.length > 0 ? 1 : 0;
