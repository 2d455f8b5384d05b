/** The processes of this host, by passes over /proc in native code, off the event loop. */
import { setImmediate as pause } from "node:timers/promises";
import { host, type ProcessScanner, type ScanBlock } from "../native-host.js";
import type { ProcessInfo, ProcessText } from "./process-info.js";
import { ProcessTable } from "./process-table.js";
import type { ProcessSource, ScanFigures } from "./source.js";

/** The bits of `ProcessText` in native/host/process_scan.h. */
const bits: Record<ProcessText, number> = { user: 2, groups: 4, executable: 8, commandLine: 16, cgroup: 32 };

export class ProcSource implements ProcessSource {
  readonly name = "proc";
  #scanner: ProcessScanner;
  /** The scanner is new: what it does not find in its first pass is gone. */
  #fresh = true;
  readonly #table = new ProcessTable();
  #figures: ScanFigures = { processes: 0, hidden: 0, unreadable: 0, read: 0, cpuNs: 0 };
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws HobbleError `ERR_UNSUPPORTED` where there is no native addon. */
  constructor(wanted: Iterable<ProcessText>) {
    this.#scanner = scannerFor(wanted);
  }

  /** Reads other texts from the next pass on. What is known of the processes stays. */
  read(wanted: Iterable<ProcessText>): void {
    this.#scanner = scannerFor(wanted);
    this.#fresh = true;
  }

  get figures(): ScanFigures {
    return this.#figures;
  }

  get processes(): ReadonlyMap<number, ProcessInfo> {
    return this.#table.entries;
  }

  /** Calls that overlap wait for each other. */
  async list(): Promise<ProcessInfo[]> {
    await this.#inTurn((scanner) => scanner.scan(), true);
    return [...this.#table.entries.values()];
  }

  /** Reads these processes anew, and nothing else: for those that have just started or called exec. */
  async look(pids: readonly number[]): Promise<ProcessInfo[]> {
    if (this.#fresh) {
      // A new scanner tells what has changed since it first looked: its first look has to be at all of them.
      await this.list();
      return pids.flatMap((pid) => this.#table.entries.get(pid) ?? []);
    }
    return this.#inTurn((scanner) => scanner.look(Int32Array.from(pids)), false);
  }

  #inTurn(scan: (scanner: ProcessScanner) => Promise<ScanBlock>, whole: boolean): Promise<ProcessInfo[]> {
    const turn = this.#turn.then(async () => {
      const block = await scan(this.#scanner);
      if (!block.complete) throw new Error("/proc cannot be listed: is it mounted?");
      if (whole) {
        const { processes, hidden, unreadable, read, cpuNs } = block;
        this.#figures = { processes, hidden, unreadable, read, cpuNs };
      }
      const changed = await this.#table.apply(block, pause);
      if (whole && this.#fresh) this.#table.keepOnly(changed);
      if (whole) this.#fresh = false;
      return changed;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function scannerFor(wanted: Iterable<ProcessText>): ProcessScanner {
  const Scanner = host().ProcessScanner;
  return new Scanner([...wanted].reduce((mask, text) => mask | bits[text], 0));
}
