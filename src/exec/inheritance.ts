/**
 * What a program inherits from whoever starts it, as far as Node has changed it since: a command must get it as if nobody stood between.
 * Node raises the soft limit on open files to the hard one, marks descriptors 0 to 15 close-on-exec, and decodes arguments as UTF-8.
 * (It also takes back that a signal is ignored, as `nohup` does, before any JavaScript runs: that is lost.)
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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

/** The soft limit on open files that our parent has, and we had; -1 = unlimited or unknown. */
export function originalOpenFiles(): number {
  const limits = readOptional(`/proc/${process.ppid}/limits`);
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? -1 : Number(soft);
}

interface OpenFile {
  fd: number;
  /** What it refers to: a path, or "pipe:[INODE]" and the like. */
  link: string;
}

/** The descriptors that were open when we were started. To be called before anything of ours opens one. */
export function inheritedFds(): Int32Array {
  const own = openFiles("self");
  const parents = new Set(openFiles(process.ppid).map(({ link }) => link));
  return Int32Array.from(own.filter((file) => !isOfNode(file, own, parents)).map(({ fd }) => fd));
}

/** Node itself holds epoll instances, eventfds, pipes of which it has both ends, and /dev/null for reading. */
function isOfNode({ fd, link }: OpenFile, own: readonly OpenFile[], parents: ReadonlySet<string>): boolean {
  if (fd <= 2) return false;
  if (link.startsWith("anon_inode:")) return true;
  if (link.startsWith("pipe:")) return !parents.has(link) && own.filter((other) => other.link === link).length === 2;
  return link === "/dev/null" && isReadOnly(fd);
}

function isReadOnly(fd: number): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readOptional(`/proc/self/fdinfo/${fd}`))?.[1] ?? "0";
  return Number.parseInt(flags, 8) % 4 === 0;
}

function openFiles(pid: number | "self"): OpenFile[] {
  const directory = `/proc/${pid}/fd`;
  const files: OpenFile[] = [];
  for (const name of attempt(() => readdirSync(directory)) ?? []) {
    // The descriptor that read the directory is closed by now.
    const link = attempt(() => readlinkSync(`${directory}/${name}`));
    if (link !== undefined) files.push({ fd: Number(name), link });
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
