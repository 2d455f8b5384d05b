/** An owner at work, seen from outside. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { OwnerOptions, OwnerReply } from "./owner.js";

const program = fileURLToPath(new URL("owner.js", import.meta.url));

export class Owner {
  readonly pid: number;
  /** 0 without one. */
  readonly guardian: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, guardian: number) {
    this.#process = child;
    this.#lines = lines;
    this.pid = child.pid ?? 0;
    this.guardian = guardian;
  }

  /** Resolves when every target had its first signal. */
  static async start(options: OwnerOptions, inWorker = false): Promise<Owner> {
    // It dies with us, whatever happens: its targets do too.
    const words = ["setpriv", "--pdeathsig", "KILL", "--", process.execPath, program, JSON.stringify({ ...options, worker: inWorker })];
    // Between two trials a thousand busy targets run freely: an ordinary process would take minutes to start beside them.
    const child = spawn("nice", process.getuid?.() === 0 ? ["-n", "-20", ...words] : words, { stdio: "pipe" });
    // What it says when it is made to crash.
    child.stderr.resume();
    child.stdin.on("error", () => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the owner died before it hobbled anything");
    return new Owner(child, lines, (JSON.parse(value) as OwnerReply).guardian ?? 0);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  tell(word: string): void {
    this.#process.stdin.write(`${word}\n`);
  }

  async guardianNow(): Promise<number> {
    this.tell("guardian");
    const { value } = await this.#lines.next();
    return (JSON.parse(value ?? "{}") as OwnerReply).guardian ?? 0;
  }

  /** Resolves when it has gone. */
  async gone(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }

  async end(): Promise<void> {
    this.signal("SIGKILL");
    await this.gone();
  }
}
