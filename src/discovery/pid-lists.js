/** Lists of PIDs that somebody else keeps: cgroup.procs files, cgroups, PID files. Read again with every scan. */
import { stat } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { pidFile } from "./pid-file.js";

/** A list of this kind is kept by the kernel: it names no process that is gone. */
const keptByKernel = "/sys/fs/cgroup/";
export class PidLists {
  #lists = new Map();
  /** Which lists are read from now on. */
  follow(paths) {
    this.#lists = new Map(paths.map((path) => [path, this.#lists.get(path) ?? { since: new Map(), problem: "not read yet" }]));
  }
  /** Reads all of them. What cannot be read keeps what it listed before. Returns what is newly wrong, or right again (`undefined`). */
  async read() {
    const news = new Map();
    await Promise.all(
      [...this.#lists].map(async ([path, listed]) => {
        const before = listed.problem;
        await readList(path, listed);
        if (listed.problem !== before && !(before === "not read yet" && listed.problem === undefined)) news.set(path, listed.problem);
      }),
    );
    return news;
  }
  /**
   * Who is listed. A process that started after its PID had come onto the list is another one than was meant: a stale line in a file must not make a
   * target of the stranger that gets the PID next.
   */
  members(processes) {
    const members = new Map();
    for (const [path, { since, problem }] of this.#lists) {
      if (since.size === 0 && problem !== undefined) continue;
      const pids = new Set();
      for (const [pid, sinceNs] of since) {
        const process = processes.get(pid);
        if (process !== undefined && (path.startsWith(keptByKernel) || process.startTime * tickNs <= sinceNs + 2 * tickNs)) pids.add(pid);
      }
      members.set(path, pids);
    }
    return members;
  }
}
const tickNs = 1e7;
async function readList(path, listed) {
  try {
    const candidates = await pidFile(await fileOf(path)).list();
    const nowNs = uptime() * 1e9;
    const { since } = listed;
    listed.since = new Map(candidates.map(({ pid }) => [pid, since.get(pid) ?? nowNs]));
    listed.problem = undefined;
  } catch (error) {
    listed.problem = error.message;
  }
}
/** A folder stands for the cgroup.procs in it. */
async function fileOf(path) {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? join(path, "cgroup.procs") : path;
}
