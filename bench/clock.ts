/** The one clock of the bench. */
import { setTimeout as sleep } from "node:timers/promises";

/** CLOCK_MONOTONIC, ns: the clock of the referee's records too. */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

export async function sleepSeconds(seconds: number): Promise<void> {
  await sleep(seconds * 1e3);
}
