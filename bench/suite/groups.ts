/** The cgroups that a contestant left behind: thawed, emptied, removed. A frozen process of cgroup v1 does not even die before it is thawed. */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

function children(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${parent}/${name}`);
}

/** Where a controller is mounted: of cgroup v1 by its name, of v2 by the name "cgroup2". */
export function mountOf(controller: string): string | undefined {
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const [, path, type, options] = line.split(" ");
    if (type === "cgroup2" && controller === "cgroup2") return path;
    if (type === "cgroup" && options?.split(",").includes(controller)) return path;
  }
  return undefined;
}

/** Where the group of v2 is, or that of a controller of v1, that a process is in. */
export function groupOf(pid: number, controller: string, mount = mountOf(controller)): string | undefined {
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n")) {
    const [, , controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const its = controller === "cgroup2" ? controllers === "" : controllers?.split(",").includes(controller);
    if (its === true && mount !== undefined) return `${mount}${path}`;
  }
  return undefined;
}

/** The groups in which processes can be frozen, each once. */
export function groupsOfAll(pids: readonly number[]): string[] {
  const mounts = ["cgroup2", "freezer"].map((controller) => [controller, mountOf(controller)] as const);
  return [...new Set(pids.flatMap((pid) => mounts.flatMap(([controller, mount]) => groupOf(pid, controller, mount) ?? [])))];
}

/** A group that is gone holds nobody. */
export function isFrozen(group: string): boolean {
  const read = (file: string) => (existsSync(`${group}/${file}`) ? readFileSync(`${group}/${file}`, "utf8") : "");
  return /^FR/.test(read("freezer.state")) || read("cgroup.events").includes("frozen 1");
}

/** Of no folder ("") there are none. */
export function thawAll(parent: string): void {
  for (const group of children(parent)) {
    if (existsSync(`${group}/freezer.state`)) writeFileSync(`${group}/freezer.state`, "THAWED");
    if (existsSync(`${group}/cgroup.freeze`)) writeFileSync(`${group}/cgroup.freeze`, "0");
  }
}

/** To be called when the processes in it may go elsewhere, or are gone. */
export function removeGroups(parent: string): void {
  for (const group of children(parent)) {
    for (const pid of readFileSync(`${group}/cgroup.procs`, "utf8").split("\n").filter(Boolean)) move(pid, dirname(parent));
    tryRemove(group);
  }
  if (existsSync(parent)) tryRemove(parent);
}

function move(pid: string, to: string): void {
  try {
    writeFileSync(`${to}/cgroup.procs`, pid);
  } catch {
    // It is gone.
  }
}

function tryRemove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // A zombie is in it still; an empty group does no harm.
  }
}
