/**
 * The processes of this host as ps tells them, through the package ps-list: for hosts where a native pass over /proc is not wanted. ps does not tell
 * of groups, cgroups and nice values, and costs forty times as much.
 */
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { setImmediate as pause } from "node:timers/promises";
import { host } from "../native-host.js";
import type { ProcessInfo, ProcessText } from "./process-info.js";
import type { ProcessSource, ScanFigures } from "./source.js";

/** What a rule cannot ask of this source. */
export const notFromPs: readonly ProcessText[] = ["groups", "cgroup"];

/** Each process that is seen for the first time costs 20 µs on the event loop. */
const processesInOneGo = 64;

export class PsListSource implements ProcessSource {
  readonly name = "ps-list";
  #figures: ScanFigures = { processes: 0, hidden: 0, unreadable: 0, read: 0, cpuNs: 0 };
  #processes = new Map<number, ProcessInfo>();

  get figures(): ScanFigures {
    return this.#figures;
  }

  get processes(): ReadonlyMap<number, ProcessInfo> {
    return this.#processes;
  }

  async list(): Promise<ProcessInfo[]> {
    // Only when it is needed: it imports node:process, which opens the standard streams and makes the pipes among them non-blocking.
    const { default: psList } = await import("ps-list");
    const names = await userNames();
    const listedAt = host().sinceBootNs() / 1e7;
    const listed = await psList();
    const processes = new Map<number, ProcessInfo>();
    for (const [index, { pid, ppid, name, uid = -1, cmd = "", path = "", memory = 0 }] of listed.entries()) {
      if (index % processesInOneGo === processesInOneGo - 1) await pause();
      const identity = host().identify(pid);
      // Gone since ps looked; or its PID was reused meanwhile, and what ps told was about another: the next listing will find it.
      if (identity === undefined || identity.kernelThread || identity.startTime > listedAt + 1) continue;
      const before = this.#processes.get(pid);
      const same = before?.startTime === identity.startTime;
      const found = {
        pid,
        startTime: identity.startTime,
        inode: identity.inode,
        parentPid: ppid,
        processGroup: identity.processGroup,
        session: identity.session,
        // ps-list prefers the name of the executable; rules mean that of the process.
        name: identity.name || name,
        uid,
        user: names.get(uid) ?? String(uid),
        groups: "",
        executable: path,
        commandLine: cmd,
        cgroup: "",
        state: identity.state,
        threads: identity.threads,
        nice: 0,
        residentBytes: (memory / 100) * totalmem(),
        cpuNs: host().cpuTimeNs(pid),
        waitedNs: 0,
        readAtNs: host().sinceBootNs(),
        version: 0,
      };
      const unchanged =
        same &&
        before.name === found.name &&
        before.uid === uid &&
        before.parentPid === ppid &&
        before.commandLine === cmd &&
        before.executable === path &&
        before.processGroup === found.processGroup &&
        before.session === found.session;
      // A rule's memory of a process hangs on the object: one that lives on stays the same.
      if (same) processes.set(pid, Object.assign(before, found, { version: before.version + (unchanged ? 0 : 1) }));
      else processes.set(pid, found);
    }
    this.#processes = processes;
    this.#figures = { processes: processes.size, hidden: 0, unreadable: 0, read: processes.size, cpuNs: 0 };
    return [...processes.values()];
  }
}

async function userNames(): Promise<Map<number, string>> {
  const text = await readFile("/etc/passwd", "utf8").catch(() => "");
  const entries = text.split("\n").map((line) => line.split(":"));
  return new Map(entries.map(([name = "", , uid]) => [Number(uid), name]));
}
