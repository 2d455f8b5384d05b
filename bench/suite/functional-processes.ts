/** What the functional suite lets be hobbled: a program with work to do, and a parent with a child. They die with the bench. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { nativeProgram } from "../native-programs.js";

/** Some 40 ms of work on this machine; the same work whatever the machine. */
const turns = 25_000_000;

export class Worker {
  readonly pid: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, pid: number) {
    this.#process = process;
    this.#lines = lines;
    this.pid = pid;
  }

  static async start(): Promise<Worker> {
    const child = spawn(nativeProgram("worker"), [String(turns)], { stdio: "pipe" });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new Worker(child, lines, Number(value));
  }

  /** How long its work took, by its own clock, ms. */
  async work(): Promise<number> {
    this.#process.stdin.write("\n");
    const { value } = await this.#lines.next();
    return Number(value);
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL");
  }
}

/** A process that waits for its child, which spins. */
export class Family {
  readonly parent: number;
  readonly child: number;
  readonly #process: ChildProcessWithoutNullStreams;

  private constructor(process: ChildProcessWithoutNullStreams, child: number) {
    this.#process = process;
    this.parent = process.pid ?? 0;
    this.child = child;
  }

  static async start(): Promise<Family> {
    const parent = spawn(nativeProgram("worker"), ["family"], { stdio: "pipe" });
    const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new Family(parent, Number(value));
  }

  get pids(): readonly number[] {
    return [this.parent, this.child];
  }

  /** The child dies with its parent. */
  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL");
  }
}
