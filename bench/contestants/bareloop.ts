/** The floor of what signals cost: nothing but the system call, to the same processes, in the same order, at the same rate. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { nativeProgram } from "../native-programs.js";
import type { Cycle } from "../referee/windows.js";

export interface BareloopResult {
  signals: number;
  cpuNs: number;
  elapsedNs: number;
}

/** `priority` 0: ordinary scheduling. */
export async function bareloop(pids: readonly number[], cycle: Cycle, seconds: number, priority: number): Promise<BareloopResult> {
  const args = [cycle.runMs * 1e3, cycle.stopMs * 1e3, seconds, priority].map(String);
  const loop = spawn(nativeProgram("bareloop"), args, { stdio: ["pipe", "pipe", "inherit"] });
  loop.stdin.end(pids.join("\n"));
  const exit = once(loop, "exit");
  const output = await text(loop.stdout);
  const [status] = await exit;
  if (status !== 0) throw new Error(`bareloop ended with status ${status}`);
  return JSON.parse(output) as BareloopResult;
}
