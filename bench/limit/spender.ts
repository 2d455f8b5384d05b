/** Processes that use the CPU. They die with the bench. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { nativeProgram } from "../native-programs.js";
import { cpuTimeNs } from "../referee/accounting.js";

export class Spender {
  private constructor(
    private readonly process: ChildProcess,
    /** The process, and its children if it has any. */
    readonly pids: readonly number[],
  ) {}

  /** `work` as native/spender.c takes it. */
  static async start(work: readonly (string | number)[], userId?: number): Promise<Spender> {
    const identity = userId === undefined ? {} : { uid: userId, gid: userId };
    const child = spawn(nativeProgram("spender"), work.map(String), { ...identity, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    return new Spender(child, line.split(" ").map(Number));
  }

  get pid(): number {
    return this.pids[0] ?? 0;
  }

  /** CPU time so far as the scheduler counted it, of all of them. */
  spentNs(): number {
    return this.pids.reduce((sum, pid) => sum + cpuTimeNs(pid), 0);
  }

  end(): void {
    this.process.kill("SIGKILL");
    for (const pid of this.pids.slice(1)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It died with its parent.
      }
    }
  }
}
