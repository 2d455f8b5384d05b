/** Runs the command as a user would. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { exitOf, type StartOptions, start, until } from "./processes.js";

export const cliPath = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Running {
  pid: number;
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** The JSON objects printed so far. */
  events(): Record<string, unknown>[];
  /** With all it has printed. */
  exit: Promise<number | NodeJS.Signals | null>;
}

export async function hobble(args: readonly (string | number)[], options: StartOptions = {}): Promise<Running> {
  return run([process.execPath, cliPath, ...args.map(String)], options);
}

export async function run(command: readonly string[], options: StartOptions = {}): Promise<Running> {
  const started = await start(command, options);
  const closed = once(started.child, "close");
  const text = { stdout: "", stderr: "" };
  started.child.stdout?.setEncoding("utf8").on("data", (chunk) => {
    text.stdout += chunk;
  });
  started.child.stderr?.setEncoding("utf8").on("data", (chunk) => {
    text.stderr += chunk;
  });
  return {
    ...started,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    events: () => {
      const complete = text.stdout.slice(0, text.stdout.lastIndexOf("\n") + 1);
      return complete.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    },
    exit: closed.then(() => exitOf(started)),
  };
}

/** Until it has told that it hobbles `pid`; needs --json. */
export async function hobbles(running: Running, pid: number): Promise<void> {
  await until(() => running.events().some((event) => event.event === "hobbled" && event.pid === pid), `it hobbles ${pid}`);
}
