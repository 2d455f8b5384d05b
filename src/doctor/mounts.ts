/** Mount points, from /proc/self/mountinfo (see proc_pid_mountinfo(5)). */
import type { HostFiles } from "./host-files.js";

export interface Mount {
  path: string;
  type: string;
  /** Of the mount and of the file system: "rw", "hidepid=2", "freezer". */
  options: ReadonlySet<string>;
}

export function readMounts(files: HostFiles): Mount[] {
  return files.lines("proc/self/mountinfo").flatMap((line) => {
    // Optional fields of any number end with a lone hyphen.
    const [before, after] = line.split(" - ");
    const [, , , , path, mountOptions] = before?.split(" ") ?? [];
    const [type, , superOptions] = after?.split(" ") ?? [];
    if (path === undefined || type === undefined) return [];
    const options = new Set(`${mountOptions},${superOptions}`.split(","));
    return [{ path: decodePath(path), type, options }];
  });
}

/** White space and backslashes are written as three octal digits. */
function decodePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
