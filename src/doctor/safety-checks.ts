/** What keeps the promise that nothing is left stopped: where the table of leases lies, and whether a guardian runs. */
import { type Check, lacking, present, scarce } from "./check.js";
import type { HostFiles } from "./host-files.js";
import { readMounts } from "./mounts.js";

/** An engine that started has made its table there, so it can be used. */
export function checkRuntimeDirectory(files: HostFiles, path: string): Check {
  const name = "runtime directory";
  const type = fileSystemOf(files, path);
  if (type === undefined || inMemory.has(type)) return present(name, path);
  return scarce(name, `${path} is on ${type}`, {
    cost: "the timer thread may have to wait for the disk",
    remedy: "--runtime-dir with a directory on a tmpfs, such as one under /dev/shm",
  });
}

const inMemory = new Set(["tmpfs", "ramfs", "devtmpfs"]);

/** By the longest mount point that the path lies under. */
function fileSystemOf(files: HostFiles, path: string): string | undefined {
  return readMounts(files)
    .filter((mount) => mount.path === "/" || `${path}/`.startsWith(`${mount.path}/`))
    .reduce<{ path: string; type: string } | undefined>(
      (best, mount) => (mount.path.length >= (best?.path.length ?? 0) ? mount : best),
      undefined,
    )?.type;
}

/** @param failure why there is none; undefined: it runs */
export function checkGuardian(guardian: number | undefined, failure: string | undefined): Check {
  const name = "guardian";
  if (guardian !== undefined) return present(name, "it runs, and resumes everything if hobble is killed");
  return lacking(name, failure ?? "it does not start", {
    cost: "if hobble is killed with SIGKILL, what is stopped stays so until hobble release or the next start",
    remedy: "a package whose build/Release/hobble_guardian may be executed (no mount with noexec)",
  });
}
