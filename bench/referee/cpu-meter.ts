/**
 * CPU time of a contestant with all its threads and children, dead ones too. A cgroup counts that, where there is one that only counts:
 * v1 cpuacct mounted by itself, or a v2 group without the cpu controller. A group with the cpu controller would change how the contestant is
 * scheduled. Elsewhere living processes are asked, and the clock ticks of the dead are added (10 ms steps).
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import type { Contestant } from "../contestants/contestant.js";
import { cpuTimeNs } from "./accounting.js";
import { statFields, treeOf } from "./process-tree.js";

export interface CpuMeter {
  /** The same contestant, started so that it is counted. */
  counted(contestant: Contestant): Contestant;
  /** CPU time so far, ns. */
  readNs(pid: number): number;
  close(): void;
}

export function openCpuMeter(): CpuMeter {
  const place = countingPlace();
  if (place === undefined) return { counted: (contestant) => contestant, readNs: treeCpuNs, close: () => {} };
  const group = `${place.mount}/hobble-bench-${process.pid}`;
  mkdirSync(group, { recursive: true });
  return {
    counted: ({ command, args, ...rest }) => ({
      ...rest,
      command: "sh",
      args: ["-c", 'echo $$ >"$0" && exec "$@"', `${group}/cgroup.procs`, command, ...args],
    }),
    readNs: () => place.read(group),
    close: () => removeLater(group),
  };
}

function countingPlace(): { mount: string; read: (group: string) => number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const [, mount = "", type, options = ""] = line.split(" ");
    const controllers = options.split(",");
    if (type === "cgroup" && controllers.includes("cpuacct") && !controllers.includes("cpu")) {
      return { mount, read: (group) => Number(readFileSync(`${group}/cpuacct.usage`, "utf8")) };
    }
    if (type === "cgroup2" && !readFileSync(`${mount}/cgroup.subtree_control`, "utf8").split(/\s/).includes("cpu")) {
      return { mount, read: (group) => 1e3 * Number(/^usage_usec (\d+)/m.exec(readFileSync(`${group}/cpu.stat`, "utf8"))?.[1]) };
    }
  }
  return undefined;
}

/** A contestant's guardian, say, may live some milliseconds longer than it. */
function removeLater(group: string): void {
  for (let attempt = 0; attempt < 50 && existsSync(group); attempt++) {
    try {
      rmdirSync(group);
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function treeCpuNs(root: number): number {
  const tickNs = 1e7;
  let total = 0;
  for (const pid of treeOf(root)) {
    const fields = statFields(pid);
    // Fields 16 and 17 of proc(5): ticks of children that were waited for.
    if (fields !== undefined) total += cpuTimeNs(pid) + (Number(fields[13]) + Number(fields[14])) * tickNs;
  }
  return total;
}
