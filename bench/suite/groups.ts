/** The cgroups that a contestant left behind: thawed, emptied, removed. A frozen process of cgroup v1 does not even die before it is thawed. */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

function children(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${parent}/${name}`);
}

export function frozenGroups(parent: string): number {
  return children(parent).filter(isFrozen).length;
}

function isFrozen(group: string): boolean {
  if (existsSync(`${group}/freezer.state`)) return !readFileSync(`${group}/freezer.state`, "utf8").startsWith("THAWED");
  return existsSync(`${group}/cgroup.events`) && readFileSync(`${group}/cgroup.events`, "utf8").includes("frozen 1");
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
