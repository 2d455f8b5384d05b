/** Can a cgroup be frozen? Found out by making one, empty, beside our own processes, and removing it again. */
import { accessSync, constants, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { type Check, lacking, present } from "./check.js";
import type { HostFiles } from "./host-files.js";
import { type Mount, readMounts } from "./mounts.js";

const name = "cgroup freezing";
const cost = "groups are stopped process by process, and the owner of a target can undo each stop with SIGCONT";

export function checkCgroup(files: HostFiles): Check {
  const mounts = readMounts(files);
  const unified = mounts.find(({ type }) => type === "cgroup2");
  const legacy = mounts.find(({ type, options }) => type === "cgroup" && options.has("freezer"));
  if (unified === undefined && legacy === undefined) {
    return lacking(name, "no cgroup v2 and no v1 freezer is mounted", { cost, remedy: "mount -t cgroup2 none /sys/fs/cgroup" });
  }
  const failure = unified && tryFreezing(files, unified, "", "cgroup.freeze");
  if (unified !== undefined && failure === undefined) return present(name, `cgroup v2 at ${unified.path}`);
  const legacyFailure = legacy && tryFreezing(files, legacy, "freezer", "freezer.state");
  if (legacy !== undefined && legacyFailure === undefined) return present(name, `cgroup v1 freezer at ${legacy.path}`);
  return lacking(name, failure ?? legacyFailure ?? "", {
    cost,
    remedy: "run as root, or have a group handed over to the user (Delegate=yes in the unit file); in a container, mount cgroups writable",
  });
}

/** Undefined when it works. */
function tryFreezing(files: HostFiles, mount: Mount, controller: string, file: string): string | undefined {
  const group = join(files.path(mount.path), ownGroup(files, controller), `hobble-doctor-${process.pid}`);
  try {
    mkdirSync(group);
  } catch (error) {
    return `${mount.path}: no group can be made in our own (${(error as NodeJS.ErrnoException).code})`;
  }
  try {
    accessSync(join(group, file), constants.W_OK);
    return undefined;
  } catch (error) {
    return `${mount.path}: ${file} is not writable (${(error as NodeJS.ErrnoException).code})`;
  } finally {
    rmdirSync(group);
  }
}

/** Where this process is: lines "ID:CONTROLLERS:PATH", no controllers for v2. */
function ownGroup(files: HostFiles, controller: string): string {
  const fields = files.lines("proc/self/cgroup").map((line) => line.split(":"));
  return (
    fields
      .find(([, controllers]) => controllers?.split(",").includes(controller))
      ?.slice(2)
      .join(":") ?? "/"
  );
}
