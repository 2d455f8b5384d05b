/** A program that answers lines with lines. It dies with us. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

export class Lines {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(words: readonly string[]) {
    this.#process = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...words], { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** The words of the next line. */
  async next(): Promise<string[]> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the program has ended");
    return value.split(" ");
  }

  ask(line: string): Promise<string[]> {
    this.#process.stdin.write(`${line}\n`);
    return this.next();
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.stdin.end();
    await once(this.#process, "exit");
  }
}
