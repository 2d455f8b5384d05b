/** Keeps what is known of every process, from one pass of the native scan to the next. */
import { ProcessField as Field, ROW_NUMBERS, type ScanBlock } from "../native-host.js";
import type { ProcessInfo } from "./process-info.js";

/** The order of `ProcessText` in native/host/process_scan.h. */
const texts = ["name", "user", "groups", "executable", "commandLine", "cgroup"] as const;

/** Numbers are copied at about 1 µs a row, texts at 0.3 µs each; the first rows take several times as long, until they are compiled. */
const oneGoMs = 0.5;
const rowsBetweenLooks = 8;

class Entry implements ProcessInfo {
  readonly pid: number;
  readonly startTime: number;
  readonly #inode: number;
  parentPid = 0;
  processGroup = 0;
  session = 0;
  uid = -1;
  name = "";
  user = "";
  groups = "";
  executable = "";
  commandLine = "";
  cgroup = "";
  state = "?";
  threads = 0;
  nice = 0;
  residentBytes = 0;
  cpuNs = 0;
  waitedNs = 0;
  readAtNs = 0;
  version = 0;

  constructor(pid: number, startTime: number, inode: number) {
    this.pid = pid;
    this.startTime = startTime;
    this.#inode = inode;
  }

  is(startTime: number, inode: number): boolean {
    return this.startTime === startTime && this.#inode === inode;
  }

  get inode(): bigint {
    return BigInt(this.#inode);
  }
}

export class ProcessTable {
  readonly #entries = new Map<number, Entry>();
  /** Texts that many processes share are kept once. Made anew when it holds many that no process has any more. */
  #shared = new Map<string, string>();

  get entries(): ReadonlyMap<number, ProcessInfo> {
    return this.#entries;
  }

  /** Takes over what a pass has found, a little at a time: `pause` lets the event loop go on in between. Returns those that are new or changed. */
  async apply(block: ScanBlock, pause: () => Promise<void>): Promise<ProcessInfo[]> {
    const { rows, lengths, text, gone } = block;
    for (const pid of gone) this.#entries.delete(pid);
    const changed: ProcessInfo[] = [];
    let textAt = 0;
    let lengthAt = 0;
    let began = performance.now();
    for (let at = 0; at < rows.length; at += ROW_NUMBERS) {
      if ((at / ROW_NUMBERS) % rowsBetweenLooks === 0 && performance.now() - began > oneGoMs) {
        await pause();
        began = performance.now();
      }
      const entry = this.#take(rows, at);
      const which = number(rows, at + Field.texts);
      for (const [bit, name] of texts.entries()) {
        if ((which & (1 << bit)) === 0) continue;
        const length = lengths[lengthAt++] ?? 0;
        const value = text.toString("utf8", textAt, textAt + length);
        entry[name] = name === "commandLine" ? value : this.#share(value);
        textAt += length;
      }
      if (which !== 0) entry.version++;
      changed.push(entry);
    }
    if (this.#shared.size > 1024 + 8 * this.#entries.size) this.#shared = new Map();
    return changed;
  }

  /** Forgets all others. */
  keepOnly(processes: readonly ProcessInfo[]): void {
    const kept = new Set(processes.map(({ pid }) => pid));
    for (const pid of this.#entries.keys()) if (!kept.has(pid)) this.#entries.delete(pid);
  }

  #take(rows: Float64Array, at: number): Entry {
    const pid = number(rows, at + Field.pid);
    const startTime = number(rows, at + Field.startTime);
    let entry = this.#entries.get(pid);
    const inode = number(rows, at + Field.inode);
    // The first row from a new scanner may well be of a process that is known.
    if (entry === undefined || (number(rows, at + Field.first) === 1 && !entry.is(startTime, inode))) {
      entry = new Entry(pid, startTime, inode);
      this.#entries.set(pid, entry);
    }
    const parentPid = number(rows, at + Field.parent);
    const processGroup = number(rows, at + Field.group);
    const session = number(rows, at + Field.session);
    const uid = number(rows, at + Field.uid);
    const nice = number(rows, at + Field.nice);
    if (
      parentPid !== entry.parentPid ||
      processGroup !== entry.processGroup ||
      session !== entry.session ||
      uid !== entry.uid ||
      nice !== entry.nice
    ) {
      entry.version++;
    }
    entry.parentPid = parentPid;
    entry.processGroup = processGroup;
    entry.session = session;
    entry.uid = uid;
    entry.state = String.fromCharCode(number(rows, at + Field.state));
    entry.threads = number(rows, at + Field.threads);
    entry.nice = nice;
    entry.residentBytes = number(rows, at + Field.residentBytes);
    entry.cpuNs = number(rows, at + Field.cpuNs);
    entry.waitedNs = number(rows, at + Field.waitedNs);
    entry.readAtNs = number(rows, at + Field.readAt);
    return entry;
  }

  #share(value: string): string {
    const shared = this.#shared.get(value);
    if (shared !== undefined) return shared;
    this.#shared.set(value, value);
    return value;
  }
}

function number(block: Float64Array, at: number): number {
  return block[at] ?? Number.NaN;
}
