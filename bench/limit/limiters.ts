/** Who limits the CPU time of a process here: hobble, cpulimit, the kernel's quota. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { repository } from "../native-programs.js";

export interface Limiter {
  name: string;
  /** Why it cannot be had here. */
  missing(): string | undefined;
  /** Whether it limits a process together with its children. */
  readonly trees: boolean;
  /** Resolves when it limits `pids`, the first of which is the parent of the others, to so many CPUs. */
  limit(pids: readonly number[], cpus: number): Promise<Running>;
}

export interface Running {
  stop(): Promise<void>;
}

/** The command, as a user would give it. */
export const hobble: Limiter = {
  name: "hobble",
  missing: () => undefined,
  trees: true,
  async limit(pids, cpus) {
    const tree = pids.length > 1 ? ["--tree"] : [];
    return attach([String(pids[0]), ...tree, "--cpu", `${cpus}cpus`]);
  },
};

export async function attach(args: readonly string[]): Promise<Running & { pid: number }> {
  const child = spawn(process.execPath, [`${repository}/dist/cli/main.js`, "attach", ...args, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const wanted = args.filter((word) => /^\d+$/.test(word)).length;
  let hobbled = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (JSON.parse(line).event === "hobbled") hobbled++;
    if (hobbled === wanted) break;
  }
  child.stdout.resume();
  return { pid: child.pid ?? 0, stop: () => terminate(child) };
}

export const cpulimit: Limiter = {
  name: "cpulimit",
  missing: () => (spawnSync("cpulimit", ["--help"]).error === undefined ? undefined : "it is not installed"),
  // With -m it would follow children. Of a tree of ten, version 2.8 started 200 copies of itself within a second, and 29,000 before the host
  // had no PIDs left.
  trees: false,
  async limit([pid = 0], cpus) {
    const percent = String(Math.max(1, Math.round(cpus * 100)));
    const child = spawn("cpulimit", ["-z", "-p", String(pid), "-l", percent], { stdio: "ignore" });
    await once(child, "spawn");
    await sleep(100);
    return {
      async stop() {
        await terminate(child);
        process.kill(pid, "SIGCONT");
      },
    };
  },
};

const mounts = { v1: "/sys/fs/cgroup/cpu", v2: "/sys/fs/cgroup" };
const quotaVersion = existsSync(`${mounts.v1}/cpu.cfs_quota_us`) ? "v1" : "v2";

/** The quota of the CPU controller, with its usual period of 100 ms. It cannot be below 1 ms of it. */
export const quota: Limiter = {
  name: "CPU quota",
  trees: true,
  missing() {
    if (process.getuid?.() !== 0) return "it takes root";
    if (quotaVersion === "v1") return undefined;
    return /\bcpu\b/.test(readFileSync(`${mounts.v2}/cgroup.subtree_control`, "utf8")) ? undefined : "the cpu controller is not enabled";
  },
  async limit(pids, cpus) {
    const parent = mounts[quotaVersion];
    const group = `${parent}/hobble-bench-${pids[0]}`;
    mkdirSync(group);
    const runUs = Math.max(1000, Math.round(cpus * 100_000));
    if (quotaVersion === "v1") {
      writeFileSync(`${group}/cpu.cfs_period_us`, "100000");
      writeFileSync(`${group}/cpu.cfs_quota_us`, String(runUs));
    } else {
      writeFileSync(`${group}/cpu.max`, `${runUs} 100000`);
    }
    for (const pid of pids) writeFileSync(`${group}/cgroup.procs`, String(pid));
    return {
      async stop() {
        for (const pid of pids) writeFileSync(`${parent}/cgroup.procs`, String(pid));
        rmdirSync(group);
      },
    };
  },
};

async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
