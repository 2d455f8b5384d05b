/** Lists of PIDs that somebody else keeps: cgroup.procs files, cgroups, PID files. Read again with every scan. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { host } from "../native-host.js";
import { pidFile } from "./pid-file.js";
import type { ProcessInfo } from "./process-info.js";

/** A list of this kind is kept by the kernel: it names no process that is gone. */
const keptByKernel = "/sys/fs/cgroup/";

interface Listed {
  /** When each PID was first on the list without having left it since: time after boot, ns. */
  since: Map<number, number>;
  problem: string | undefined;
}

export class PidLists {
  #lists = new Map<string, Listed>();

  /** Which lists are read from now on. */
  follow(paths: readonly string[]): void {
    this.#lists = new Map(paths.map((path) => [path, this.#lists.get(path) ?? { since: new Map(), problem: "not read yet" }]));
  }

  /** Reads all of them. What cannot be read keeps what it listed before. Returns what is newly wrong, or right again (`undefined`). */
  async read(): Promise<Map<string, string | undefined>> {
    const news = new Map<string, string | undefined>();
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
  members(processes: ReadonlyMap<number, ProcessInfo>): Map<string, ReadonlySet<number>> {
    const members = new Map<string, ReadonlySet<number>>();
    for (const [path, { since, problem }] of this.#lists) {
      if (since.size === 0 && problem !== undefined) continue;
      const pids = new Set<number>();
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

async function readList(path: string, listed: Listed): Promise<void> {
  try {
    const candidates = await pidFile(await fileOf(path)).list();
    const nowNs = host().sinceBootNs();
    const { since } = listed;
    listed.since = new Map(candidates.map(({ pid }) => [pid, since.get(pid) ?? nowNs]));
    listed.problem = undefined;
  } catch (error) {
    listed.problem = (error as Error).message;
  }
}

/** A folder stands for the cgroup.procs in it. */
async function fileOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? join(path, "cgroup.procs") : path;
}
