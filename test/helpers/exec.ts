/** `hobble exec` in tests. Commands get SIGKILL when hobble goes, however it goes. */
import { cliPath, type Running, run } from "./cli.js";
import { childrenOf, type StartOptions, until } from "./processes.js";

export const hobbleWords = [process.execPath, cliPath] as const;
export const quickCycle = ["--run", "5ms", "--stop", "10ms"] as const;
const diesWithHobble = ["setpriv", "--pdeathsig", "KILL", "--"] as const;

export function execWords(command: readonly string[], flags: readonly string[] = quickCycle): string[] {
  return [...hobbleWords, "exec", ...flags, "--", ...diesWithHobble, ...command];
}

export interface Result {
  /** Exit code, or the name of the signal. */
  exit: number | NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export async function result(words: readonly string[], options: StartOptions & { input?: string } = {}): Promise<Result> {
  const { input, ...startOptions } = options;
  const running = await run(words, startOptions);
  running.child.stdin?.on("error", () => {}); // it may end without having read it
  running.child.stdin?.end(input);
  return { exit: await running.exit, stdout: running.stdout(), stderr: running.stderr() };
}

export interface RunningExec extends Running {
  commandPid: number;
  /** Resolves when the output so far holds this text. */
  says(text: string): Promise<void>;
}

/** Starts `hobble exec` and waits until the command says "ready". */
export async function startExec(command: readonly string[], flags?: readonly string[]): Promise<RunningExec> {
  const running = await run(execWords(command, flags));
  const says = (text: string) => until(() => running.stdout().includes(text), `${JSON.stringify(text)} in ${command.join(" ")}`);
  await says("ready");
  const [commandPid] = childrenOf(running.pid);
  if (commandPid === undefined) throw new Error("hobble has no child");
  return { ...running, commandPid, says };
}
