/** Innocent processes beside the targets. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { nativeProgram } from "../native-programs.js";
import { binned } from "../statistics/bins.js";
import type { Measurement } from "../statistics/measurement.js";

const sliceMs = 250;

export class Bystander {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #output: Promise<string>;

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    this.#output = text(process.stdout);
  }

  static async start(kind: "latency" | "compute", threads = 1): Promise<Bystander> {
    const child = spawn(nativeProgram("bystander"), [kind, String(sliceMs), String(threads)], { stdio: "pipe" });
    child.stderr.pipe(process.stderr);
    await once(child, "spawn");
    return new Bystander(child);
  }

  /** Lines, one for each slice. The first is left out: the process had to start in it. */
  async end(): Promise<string[]> {
    const exit = once(this.#process, "exit");
    this.#process.stdin.end();
    await exit;
    return (await this.#output).trim().split("\n").slice(1);
  }
}

export function latencies(slices: readonly string[]): Record<string, Measurement> {
  const parts = slices.map((slice) => binned(slice.trim().split(/\s+/).map(Number)));
  return { latencyP50: { kind: "quantile", q: 0.5, parts }, latencyP99: { kind: "quantile", q: 0.99, parts } };
}

/** CPUs' worth of work done: the CPU time got, by the time that passed. */
export function throughput(slices: readonly string[]): Measurement {
  return {
    kind: "ratio",
    parts: slices.map((slice): [number, number] => {
      const [, cpuNs = 0, elapsedNs = 0] = slice.split(" ").map(Number);
      return [cpuNs, elapsedNs];
    }),
  };
}
