/** The clock that start times of processes are told by, and the boot that it belongs to. */
import { readFile } from "node:fs/promises";
import { host } from "../native-host.js";

/** Time after boot, as start times of processes are told. */
export function nowNs(): number {
  return host().sinceBootNs();
}

/** Milliseconds since 1970. */
export function epochOf(sinceBootNs: number): number {
  return Math.round(Date.now() - (nowNs() - sinceBootNs) / 1e6);
}

let known: Promise<string> | undefined;
/** Empty where it cannot be read. */
export function bootId(): Promise<string> {
  known ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "",
  );
  return known;
}
