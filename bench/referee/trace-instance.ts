/**
 * One of the kernel's tracepoints, recorded into a trace instance of our own, so that nobody else's tracing is disturbed, and read after the
 * run, so that reading does not disturb it either.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { fieldOffset, readSubBuffer } from "./ring-buffer.js";

const tracefs = "/sys/kernel/tracing";
const instancePrefix = "hobble-bench-";
/** A record of some 48 bytes, a 4-byte header, now and then a time stamp, and what is left empty at the end of a sub-buffer. */
const bytesPerEvent = 60;

let opened = 0;

export class TraceInstance {
  readonly #path: string;
  readonly #event: string;
  readonly #format: string;

  /** @param event such as "signal/signal_generate". @throws Error (EACCES, EPERM, ENOENT) where tracefs may not be used. */
  constructor(event: string) {
    if (!existsSync(`${tracefs}/instances`)) spawnSync("mount", ["-t", "tracefs", "tracefs", tracefs]);
    removeStaleInstances();
    this.#path = `${tracefs}/instances/${instancePrefix}${process.pid}-${opened++}`;
    this.#event = `events/${event}`;
    mkdirSync(this.#path);
    this.#write("tracing_on", "0");
    // The clock of process.hrtime(), of the contestants' deadlines, and of everything else in the bench.
    this.#write("trace_clock", "mono");
    this.#format = readFileSync(`${this.#path}/${this.#event}/format`, "utf8");
  }

  fieldOffset(field: string): number {
    return fieldOffset(this.#format, field);
  }

  begin(filter: string, expectedEvents: number): void {
    this.#write(`${this.#event}/filter`, filter);
    // Each CPU's buffer must hold everything: one sender may well stay on one CPU.
    this.#write("buffer_size_kb", String(Math.ceil((expectedEvents * bytesPerEvent * 1.5) / 1024) + 1024));
    this.#write("trace", "");
    // Only while somebody is watched: a tracepoint that is on costs the sender even where nothing is recorded.
    this.#write(`${this.#event}/enable`, "1");
    this.#write("tracing_on", "1");
  }

  /** Ends recording and hands over what was recorded, each CPU's events in order. @throws Error if anything was lost. */
  end(onRecord: (page: DataView, timeNs: number, dataOffset: number) => void): void {
    this.#write("tracing_on", "0");
    this.#write(`${this.#event}/enable`, "0");
    for (const cpu of readdirSync(`${this.#path}/per_cpu`)) {
      refuseLosses(readFileSync(`${this.#path}/per_cpu/${cpu}/stats`, "utf8"));
      for (const page of subBuffers(`${this.#path}/per_cpu/${cpu}/trace_pipe_raw`)) {
        readSubBuffer(page, (timeNs, data) => onRecord(page, timeNs, data));
      }
    }
  }

  close(): void {
    this.#write("tracing_on", "0");
    rmdirSync(this.#path);
  }

  #write(file: string, text: string): void {
    writeFileSync(`${this.#path}/${file}`, text);
  }
}

/** A bench that was killed leaves its instances, and the memory of their buffers, behind. */
function removeStaleInstances(): void {
  for (const name of readdirSync(`${tracefs}/instances`)) {
    const [, pid] = new RegExp(`^${instancePrefix}(\\d+)`).exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmdirSync(`${tracefs}/instances/${name}`);
  }
}

/** A referee that missed a signal must not judge. */
function refuseLosses(stats: string): void {
  for (const counter of ["overrun", "commit overrun", "dropped events"]) {
    const lost = Number(new RegExp(`^${counter}: (\\d+)`, "m").exec(stats)?.[1]);
    if (lost !== 0) throw new Error(`the trace buffer lost events (${counter}: ${lost})`);
  }
}

function* subBuffers(path: string): Generator<DataView> {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const page = Buffer.alloc(1 << 16);
  try {
    for (;;) {
      const length = readOrNothing(file, page);
      if (length === 0) return;
      yield new DataView(page.buffer, page.byteOffset, length);
    }
  } finally {
    closeSync(file);
  }
}

/** 0 when the buffer is empty: a non-blocking read then fails with EAGAIN. */
function readOrNothing(file: number, page: Buffer): number {
  try {
    return readSync(file, page);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}
