/** What the tests of safety have in common: engines in other processes, and their guardians. */
import { readdirSync, readFileSync } from "node:fs";
import { hobble, hobbles, type Running, run } from "./cli.js";
import { processName, startSleeper, stateOf, until } from "./processes.js";

/** Stopped nearly all the time. */
export const longStop = { run: "1ms", stop: "10m" } as const;

/** A living one: it may be a zombie for a while when its parent has died. */
export const isGuardian = (pid: number): boolean => /^hobble.guardian/.test(processName(pid) ?? "") && stateOf(pid) !== "Z";

/** Of a process that has one engine. */
export function guardianOf(pid: number): number | undefined {
  try {
    return (
      readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number).find(isGuardian) ?? guardianByThread(pid)
    );
  } catch {
    return undefined;
  }
}

/** A replaced one is a child of the helper thread that started it. */
function guardianByThread(pid: number): number | undefined {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" ").map(Number))
    .find(isGuardian);
}

export interface Owner extends Running {
  /** What it holds stopped. */
  held: number;
  runtimeDir: string;
}

/** `hobble attach` that holds a process stopped. */
export async function startOwner(runtimeDir: string, flags: readonly string[] = [], cli?: string): Promise<Owner> {
  const { pid: held } = await startSleeper();
  return { ...(await attach(held, runtimeDir, flags, cli)), held, runtimeDir };
}

export async function attach(pid: number, runtimeDir: string, flags: readonly string[] = [], cli?: string): Promise<Running> {
  const words = ["attach", pid, "--run", "1ms", "--stop", "10m", "--json", "--runtime-dir", runtimeDir, ...flags];
  const running = cli === undefined ? await hobble(words) : await run([process.execPath, cli, ...words.map(String)]);
  await hobbles(running, pid);
  await until(() => stateOf(pid) === "T", `${pid} is stopped`);
  return running;
}

export const kill = (pid: number): boolean => process.kill(pid, "SIGKILL");

/** Nobody is left to resume what it holds. */
export async function killWithGuardian(owner: Owner): Promise<void> {
  const guardian = guardianOf(owner.pid);
  if (guardian === undefined) throw new Error("it has no guardian");
  // Suspended first, so that neither sees the other die.
  process.kill(guardian, "SIGSTOP");
  process.kill(owner.pid, "SIGSTOP");
  kill(guardian);
  kill(owner.pid);
  await owner.exit;
  await until(() => !isGuardian(guardian), "its guardian is gone");
}

export const tablesIn = (runtimeDir: string): string[] => readdirSync(runtimeDir).filter((name) => name.endsWith(".leases"));
