/** Cgroups for tests: they hold nothing but processes that the test started, and go with the test. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach } from "vitest";

/** Where v2 is mounted, also beside v1; undefined where it is not. */
export const unifiedMount = mountOf((type) => type === "cgroup2");
/** Where v1's freezer is mounted. */
export const freezerMount = mountOf((type, options) => type === "cgroup" && options.includes("freezer"));

/** Whether groups can be made and frozen here: as root, mostly. */
export const canFreeze = unifiedMount !== undefined && canMakeIn(unifiedMount);
export const canFreezeLegacy = freezerMount !== undefined && canMakeIn(freezerMount);

const made = new Set<TestGroup>();
let count = 0;

export class TestGroup {
  readonly path: string;

  constructor(mount: string, name = `hobble-test-${process.pid}-${count++}`) {
    this.path = join(mount, name);
    mkdirSync(this.path);
    made.add(this);
  }

  get inode(): bigint {
    return statSync(this.path, { bigint: true }).ino;
  }

  /** Never this process, nor a parent of it: a group that freezes itself hangs. */
  admit(pid: number): void {
    if (pid === process.pid || pid === process.ppid || pid <= 1) throw new Error("a test must not freeze itself");
    writeFileSync(join(this.path, "cgroup.procs"), String(pid));
  }

  get processes(): number[] {
    return processesIn(this.path);
  }

  get frozen(): boolean {
    return isFrozen(this.path);
  }

  set frozen(frozen: boolean) {
    if (existsSync(join(this.path, "cgroup.freeze"))) writeFileSync(join(this.path, "cgroup.freeze"), frozen ? "1" : "0");
    else writeFileSync(join(this.path, "freezer.state"), frozen ? "FROZEN" : "THAWED");
  }

  async remove(): Promise<void> {
    made.delete(this);
    if (!existsSync(this.path)) return;
    this.frozen = false;
    for (let round = 0; round < 500; round++) {
      for (const pid of this.processes) tryKill(pid);
      try {
        rmdirSync(this.path);
        return;
      } catch {
        await sleep(10);
      }
    }
    throw new Error(`${this.path} cannot be removed`);
  }
}

export function processesIn(group: string): number[] {
  try {
    return readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** By its own setting. */
export function isFrozen(group: string): boolean {
  try {
    if (existsSync(join(group, "cgroup.freeze"))) return readFileSync(join(group, "cgroup.freeze"), "utf8").trim() === "1";
    return readFileSync(join(group, "freezer.self_freezing"), "utf8").trim() === "1";
  } catch {
    return false;
  }
}

/** Path of the v2 group that a process is in, below the mount. */
export function unifiedGroupOf(pid: number): string | undefined {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
}

afterEach(async () => {
  for (const group of [...made]) await group.remove();
});

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}

function mountOf(wanted: (type: string, options: string[]) => boolean): string | undefined {
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, path, type = "", options = ""] = line.split(" ");
    if (wanted(type, options.split(","))) return path;
  }
  return undefined;
}

function canMakeIn(mount: string): boolean {
  const path = join(mount, `hobble-probe-${process.pid}`);
  try {
    mkdirSync(path);
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
