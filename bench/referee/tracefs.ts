/**
 * The impartial referee: the kernel's own record of every SIGSTOP and SIGCONT, from the tracepoint signal:signal_generate.
 * Records into a trace instance of its own, so that nobody else's tracing is disturbed, and is read after the run, so that reading
 * does not disturb it either. A record costs the sender some 0.4 µs.
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
import { addEdge, type EdgesByPid, sortEdges } from "./edges.js";
import type { Referee } from "./referee.js";
import { fieldOffset, readSubBuffer } from "./ring-buffer.js";

const tracefs = "/sys/kernel/tracing";
const instancePrefix = "hobble-bench-";
const sigCont = 18;
const sigStop = 19;
/** 48 bytes of record, a 4-byte header, now and then a time stamp, and what is left empty at the end of a sub-buffer. */
const bytesPerSignal = 60;

/** @throws Error (EACCES, EPERM, ENOENT) where tracefs may not be used. */
export function openTracefsReferee(): Referee {
  if (!existsSync(`${tracefs}/instances`)) spawnSync("mount", ["-t", "tracefs", "tracefs", tracefs]);
  removeStaleInstances();
  const instance = `${tracefs}/instances/${instancePrefix}${process.pid}`;
  mkdirSync(instance);
  const write = (file: string, text: string) => writeFileSync(`${instance}/${file}`, text);
  write("tracing_on", "0");
  // The clock of process.hrtime(), of the contestants' deadlines, and of everything else in the bench.
  write("trace_clock", "mono");
  write("events/signal/signal_generate/enable", "1");
  const format = readFileSync(`${instance}/events/signal/signal_generate/format`, "utf8");
  const signalOffset = fieldOffset(format, "sig");
  const pidOffset = fieldOffset(format, "pid");

  return {
    name: "tracepoint signal:signal_generate",
    herdKind: (load) => load,
    begin(herd, expectedSignals) {
      // A range, as a filter cannot hold ten thousand PIDs. Others' signals within it are left out when the buffers are read.
      const [lowest, highest] = [herd.pids.reduce((a, b) => Math.min(a, b)), herd.pids.reduce((a, b) => Math.max(a, b))];
      write("events/signal/signal_generate/filter", `(sig==${sigStop}||sig==${sigCont})&&pid>=${lowest}&&pid<=${highest}`);
      // Each CPU's buffer must hold everything: one sender may well stay on one CPU.
      write("buffer_size_kb", String(Math.ceil((expectedSignals * bytesPerSignal * 1.5) / 1024) + 1024));
      write("trace", "");
      write("tracing_on", "1");
    },
    async end(herd) {
      write("tracing_on", "0");
      const edges: EdgesByPid = new Map(herd.pids.map((pid) => [pid, { timesNs: [], stops: [] }]));
      for (const cpu of readdirSync(`${instance}/per_cpu`)) {
        refuseLosses(readFileSync(`${instance}/per_cpu/${cpu}/stats`, "utf8"));
        for (const page of subBuffers(`${instance}/per_cpu/${cpu}/trace_pipe_raw`)) {
          readSubBuffer(page, (timeNs, data) => {
            const pid = page.getInt32(data + pidOffset, true);
            if (edges.has(pid)) addEdge(edges, pid, timeNs, page.getInt32(data + signalOffset, true) === sigStop);
          });
        }
      }
      sortEdges(edges);
      return edges;
    },
    close() {
      write("tracing_on", "0");
      rmdirSync(instance);
    },
  };
}

/** A bench that was killed leaves its instance, and the memory of its buffers, behind. */
function removeStaleInstances(): void {
  for (const name of readdirSync(`${tracefs}/instances`)) {
    if (name.startsWith(instancePrefix) && !existsSync(`/proc/${name.slice(instancePrefix.length)}`))
      rmdirSync(`${tracefs}/instances/${name}`);
  }
}

/** A referee that missed a signal must not judge. */
function refuseLosses(stats: string): void {
  for (const counter of ["overrun", "commit overrun", "dropped events"]) {
    const lost = Number(new RegExp(`^${counter}: (\\d+)`, "m").exec(stats)?.[1]);
    if (lost !== 0) throw new Error(`the trace buffer lost signals (${counter}: ${lost})`);
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
