/** A contestant at work: a process of its own, so that its CPU time is its own, which is spoken to in lines of JSON. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { removeGroups } from "../suite/groups.js";
import type { Contestant } from "./contestant.js";

/** A contestant that is starved by its own targets may not hear that it should stop. */
const patienceMs = 3000;

export interface Hello {
  /** Of contestants that put their targets into cgroups: the folder of these. */
  groups?: string;
}

/** Folders of the cgroups of all contestants so far: who ends early has to thaw them, as not even SIGKILL gets through to a process frozen by v1. */
export const groupsMade = new Set<string>();

export class Session {
  readonly pid: number;
  /** How it introduced itself. */
  hello: Hello = {};
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams, pid: number) {
    this.#process = process;
    this.pid = pid;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when the contestant is ready to begin. `userId` undefined: runs as we do. */
  static async open({ command, args }: Contestant, userId: number | undefined): Promise<Session> {
    const identity = userId === undefined ? {} : { uid: userId, gid: userId };
    const process = spawn(command, args, { ...identity, stdio: "pipe" });
    process.stderr.pipe(globalThis.process.stderr);
    // Writing to a contestant that died fails with EPIPE; that it died is told by its answer that does not come.
    process.stdin.on("error", () => {});
    await once(process, "spawn");
    const session = new Session(process, process.pid ?? 0);
    session.hello = (await session.#reply()) as Hello;
    if (session.hello.groups !== undefined) groupsMade.add(session.hello.groups);
    return session;
  }

  /** Sends a message without waiting for its answer. */
  tell(message: { type: string }): void {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async ask<Reply>(message: { type: string } & object): Promise<Reply> {
    this.tell(message);
    return (await this.#reply()) as Reply;
  }

  async #reply(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.#process.spawnargs.join(" ")} ended before it answered`);
    return JSON.parse(value);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves when the contestant has gone; false: it had to be killed. */
  async close(): Promise<boolean> {
    if (!this.alive) return true;
    const exit = once(this.#process, "exit");
    this.tell({ type: "stop" });
    this.#process.stdin.end();
    let patient = true;
    const patience = setTimeout(() => {
      patient = false;
      this.#process.kill("SIGKILL");
    }, patienceMs);
    await exit;
    clearTimeout(patience);
    // It removes them itself, unless it was killed.
    if (!patient && this.hello.groups !== undefined) removeGroups(this.hello.groups);
    return patient;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
