/** Where it was measured. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { repository } from "../native-programs.js";

export interface Host {
  date: string;
  hobble: string;
  node: string;
  kernel: string;
  cpu: string;
  cpus: number;
  memoryBytes: number;
}

export function describeHost(): Host {
  const { version } = JSON.parse(readFileSync(`${repository}/package.json`, "utf8")) as { version: string };
  return {
    date: new Date().toISOString(),
    hobble: version,
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memoryBytes: totalmem(),
  };
}
