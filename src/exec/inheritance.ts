/**
 * What a program inherits from whoever starts it, as far as Node has changed it since: a command must get it as if nobody stood between.
 * Node raises the soft limit on open files to the hard one, marks descriptors 0 to 15 close-on-exec, and decodes arguments as UTF-8.
 * (It also takes back that a signal is ignored, as `nohup` does, before any JavaScript runs: that is lost.)
 */
import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** O_CLOEXEC of open(2), the same on all architectures that Node runs on. */
const closeOnExec = 0o2000000;

/** The last of our own arguments as bytes, each ended by a zero byte: file names need not be UTF-8. */
export function argumentBytes(words: readonly string[]): Buffer {
  const own = readFileSync("/proc/self/cmdline");
  let start = own.length;
  for (let left = words.length; left > 0 && start > 0; left--) start = own.lastIndexOf(0, start - 2) + 1;
  const bytes = own.subarray(start);
  const decoded = words.map((word) => `${word}\0`).join("");
  // The words are our last arguments, unless options of ours came behind them.
  return bytes.toString() === decoded ? bytes : Buffer.from(decoded);
}

/** What systemd, Docker and login shells start programs with as a rule: programs that use select(2) rely on it. */
const usualOpenFiles = 1024;

/**
 * The soft limit on open files that our parent has, and we had; -1 = unlimited. A service manager or a container's runtime has another one than what it
 * starts, and where the parent cannot be seen nothing is known: then the usual one.
 */
export function originalOpenFiles(): number {
  const limits = process.ppid > 1 ? readOptional(`/proc/${process.ppid}/limits`) : "";
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) return usualOpenFiles;
  return soft === "unlimited" ? -1 : Number(soft);
}

interface OpenFile {
  owner: number | "self";
  fd: number;
  /** What it refers to: a path, or "pipe:[INODE]" and the like. */
  link: string;
}

/** The descriptors that were open when we were started. To be called before anything of ours opens one. */
export function inheritedFds(): Int32Array {
  const own = openFiles("self");
  const parents = openFiles(process.ppid);
  return Int32Array.from(own.filter((file) => !isOfNode(file, own, parents)).map(({ fd }) => fd));
}

/**
 * Node itself holds epoll instances, eventfds, pipes of which it has both ends, and /dev/null for reading. Their links look alike everywhere: such
 * a one is inherited if our parent has it under the same number, and not to be closed when a program is started.
 */
function isOfNode(file: OpenFile, own: readonly OpenFile[], parents: readonly OpenFile[]): boolean {
  const { fd, link } = file;
  if (fd <= 2) return false;
  if (link.startsWith("pipe:")) {
    return !parents.some((other) => other.link === link) && own.filter((other) => other.link === link).length === 2;
  }
  const suspect = link.startsWith("anon_inode:") || (link === "/dev/null" && flagsOf(file) % 4 === constants.O_RDONLY);
  return suspect && !parents.some((other) => other.fd === fd && other.link === link && (flagsOf(other) & closeOnExec) === 0);
}

/** proc_pid_fdinfo(5): octal. */
function flagsOf({ owner, fd }: OpenFile): number {
  const flags = /^flags:\s+(\d+)/m.exec(readOptional(`/proc/${owner}/fdinfo/${fd}`))?.[1] ?? "0";
  return Number.parseInt(flags, 8);
}

function openFiles(pid: number | "self"): OpenFile[] {
  const directory = `/proc/${pid}/fd`;
  const files: OpenFile[] = [];
  for (const name of attempt(() => readdirSync(directory)) ?? []) {
    // The descriptor that read the directory is closed by now.
    const link = attempt(() => readlinkSync(`${directory}/${name}`));
    if (link !== undefined) files.push({ owner: pid, fd: Number(name), link });
  }
  return files;
}

function readOptional(path: string): string {
  return attempt(() => readFileSync(path, "utf8")) ?? "";
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
