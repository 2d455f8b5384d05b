/** Real processes for tests. Whatever happens to the test, they die with it: PR_SET_PDEATHSIG, and `endAll` after each test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach } from "vitest";

const started = new Set<ChildProcess>();

/** Prefix of a command that gets SIGKILL when the thread that started it ends. */
const diesWithParent = ["setpriv", "--pdeathsig", "KILL", "--"] as const;

export interface Started {
  pid: number;
  child: ChildProcess;
}

export interface StartOptions {
  /** In a session, and so in a process group, of its own. */
  detached?: boolean;
  env?: NodeJS.ProcessEnv;
}

export async function start(command: readonly string[], options: StartOptions = {}): Promise<Started> {
  const [program, ...args] = [...diesWithParent, ...command];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  started.add(child);
  await once(child, "spawn");
  if (child.pid === undefined) throw new Error(`could not start ${command.join(" ")}`);
  return { pid: child.pid, child };
}

/** Waits until the program itself runs, and not setpriv on its way to it. */
async function startNamed(name: string, command: readonly string[], options?: StartOptions): Promise<Started> {
  const started = await start(command, options);
  await until(() => processName(started.pid) === name, `${name} runs`);
  return started;
}

/** It sleeps already: what it takes to get there can be enough to be stopped for in a pool that has nothing left. */
export async function startSleeper(): Promise<Started> {
  const started = await startNamed("sleep", ["sleep", "100"]);
  await until(() => stateOf(started.pid) === "S", "it sleeps");
  return started;
}
export const startBurner = (): Promise<Started> => startNamed("sh", ["sh", "-c", "while :; do :; done"]);

/** Resolves with the exit code or the name of the signal. */
export async function exitOf({ child }: Started): Promise<number | NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode;
}

export async function end({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL"); // ends a stopped process too
  await once(child, "exit");
}

async function endAll(): Promise<void> {
  await Promise.all([...started].map((child) => end({ pid: child.pid ?? 0, child })));
  started.clear();
}

afterEach(endAll);

/** Fields of /proc/PID/stat from the third on; undefined when it is gone. The name may hold spaces and parentheses. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** "R", "S", "T", …; "gone". */
export const stateOf = (pid: number): string => statFields(pid)?.[0] ?? "gone";
export const parentOf = (pid: number): number => Number(statFields(pid)?.[1]);
export const groupOf = (pid: number): number => Number(statFields(pid)?.[2]);
export const startTimeOf = (pid: number): number => Number(statFields(pid)?.[19]);

/** CPU time in seconds, in steps of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields?.[11]) + Number(fields?.[12])) / 100;
}

/** CPU time in seconds of the children that it has waited for, and of theirs. */
export function childrenCpuSecondsOf(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields?.[13]) + Number(fields?.[14])) / 100;
}

/** CPU time of this process's main thread so far, which runs the event loop. */
export function mainThreadCpuMs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

export function processName(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** But for the guardian. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  const children = text === "" ? [] : text.split(" ").map(Number);
  return children.filter((child) => !/^hobble.guardian/.test(processName(child) ?? ""));
}

/** Fails after `withinMs`. */
export async function until(condition: () => boolean, what: string, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(2);
  }
}

/** How often each state is seen in `looks` looks, 1 ms apart or more. */
export async function observe(pid: number, looks: number): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (let look = 0; look < looks; look++) {
    const state = stateOf(pid);
    seen.set(state, (seen.get(state) ?? 0) + 1);
    await sleep(1);
  }
  return seen;
}

/** Not stopped now, and not a little later either. */
export async function runsOn(pid: number): Promise<boolean> {
  for (let look = 0; look < 20; look++) {
    if (stateOf(pid) === "T") return false;
    await sleep(2);
  }
  return true;
}

/** A PID that no process has. */
export async function goneProcess(): Promise<number> {
  const child = await start(["true"]);
  await exitOf(child);
  return child.pid;
}
