/** Processes to be hobbled. They die with the bench, however it ends (see native/herd.c). */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { nativeProgram } from "./native-programs.js";

/** What the targets of a scenario do. */
export type Load = "idle" | "busy" | "threads" | "forking";
/** "probe" is busy and watches the clock. */
export type HerdKind = Load | "probe";

export interface Gap {
  pid: number;
  fromNs: number;
  toNs: number;
}

export interface HerdOptions {
  count: number;
  kind: HerdKind;
  /** The herd ends itself after this time. */
  lifetimeSeconds: number;
  /** Shortest gap that a probe notes. */
  shortestGapMs: number;
  /** Whose processes they are; undefined: ours. */
  userId: number | undefined;
}

export class Herd {
  readonly pids: readonly number[];
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, pids: number[]) {
    this.#process = process;
    this.#lines = lines;
    this.pids = pids;
  }

  static async start({ count, kind, lifetimeSeconds, shortestGapMs, userId }: HerdOptions): Promise<Herd> {
    const identity = userId === undefined ? {} : { uid: userId, gid: userId };
    const args = [count, kind, Math.ceil(lifetimeSeconds), Math.round(shortestGapMs * 1e3)].map(String);
    const herd = spawn(nativeProgram("herd"), args, { ...identity, stdio: "pipe" });
    herd.stderr.pipe(process.stderr);
    // Its death is told by what it does not print.
    herd.stdin.on("error", () => {});
    await once(herd, "spawn");
    const reader: Interface = createInterface({ input: herd.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const { value } = await lines.next();
    const pids = String(value ?? "")
      .split(" ")
      .slice(1)
      .map(Number);
    const made = new Herd(herd, lines, pids);
    if (pids.length === count) return made;
    await made.end();
    throw new Error(`the herd has ${pids.length} processes instead of ${count}`);
  }

  /** Lets busy processes begin. */
  go(): void {
    this.#process.stdin.write("go\n");
  }

  /** What the probes noted so far. */
  async gaps(): Promise<Gap[]> {
    this.#process.stdin.write("gaps\n");
    const gaps: Gap[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error("the herd died before it had told its gaps");
      if (value === "end") return gaps;
      const [pid = 0, fromNs = 0, toNs = 0] = value.split(" ").map(Number);
      gaps.push({ pid, fromNs, toNs });
    }
  }

  /** Whatever somebody left stopped runs again. */
  resume(): void {
    for (const pid of this.pids) process.kill(pid, "SIGCONT");
  }

  /** Kills all of them; resolves when they are gone. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    // The herd would do it too, when it gets a CPU; it reaps nobody before the end of its input, so no PID can be another process by now.
    for (const pid of this.pids) process.kill(pid, "SIGKILL");
    this.#process.stdin.end();
    await exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
