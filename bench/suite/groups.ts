/** The cgroups that a contestant left behind: thawed, emptied, removed. A frozen process of cgroup v1 does not even die before it is thawed. */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

function children(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${parent}/${name}`);
}

/** The cgroups of v1's freezer and of v2 that processes are in, each once. */
export function groupsOfAll(pids: readonly number[]): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const [, unified] = /^\S+ (\S+) cgroup2 /m.exec(mounts) ?? [];
  const [, freezer] = /^\S+ (\S+) cgroup \S*\bfreezer\b/m.exec(mounts) ?? [];
  const found = pids.flatMap((pid) => {
    const own = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    const [, inUnified] = /^0::(.*)$/m.exec(own) ?? [];
    const [, inFreezer] = /^\d+:[^:]*\bfreezer\b[^:]*:(.*)$/m.exec(own) ?? [];
    const paths: [string | undefined, string | undefined][] = [
      [unified, inUnified],
      [freezer, inFreezer],
    ];
    return paths.flatMap(([mount, path]) => (mount === undefined || path === undefined ? [] : [`${mount}${path}`]));
  });
  return [...new Set(found)];
}

/** A group that is gone holds nobody. */
export function isFrozen(group: string): boolean {
  const read = (file: string) => (existsSync(`${group}/${file}`) ? readFileSync(`${group}/${file}`, "utf8") : "");
  return /^FR/.test(read("freezer.state")) || read("cgroup.events").includes("frozen 1");
}

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
