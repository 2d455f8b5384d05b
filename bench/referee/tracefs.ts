/**
 * The impartial referee: the kernel's own record of every SIGSTOP and SIGCONT, from the tracepoint signal:signal_generate. A record costs
 * the sender some 0.4 µs.
 */
import { addEdge, type EdgesByPid, sortEdges } from "./edges.js";
import type { Referee } from "./referee.js";
import { TraceInstance } from "./trace-instance.js";

const sigCont = 18;
const sigStop = 19;

/** @throws Error (EACCES, EPERM, ENOENT) where tracefs may not be used. */
export function openTracefsReferee(): Referee {
  const trace = new TraceInstance("signal/signal_generate");
  const signalOffset = trace.fieldOffset("sig");
  const pidOffset = trace.fieldOffset("pid");
  return {
    name: "tracepoint signal:signal_generate",
    herdKind: (load) => load,
    begin({ pids }, expectedSignals) {
      // A range, as a filter cannot hold ten thousand PIDs. Others' signals within it are left out when the buffers are read.
      const [lowest, highest] = [pids.reduce((a, b) => Math.min(a, b)), pids.reduce((a, b) => Math.max(a, b))];
      trace.begin(`(sig==${sigStop}||sig==${sigCont})&&pid>=${lowest}&&pid<=${highest}`, expectedSignals);
    },
    async end({ pids }) {
      const edges: EdgesByPid = new Map(pids.map((pid) => [pid, { timesNs: [], stops: [] }]));
      trace.end((page, timeNs, data) => {
        const pid = page.getInt32(data + pidOffset, true);
        if (edges.has(pid)) addEdge(edges, pid, timeNs, page.getInt32(data + signalOffset, true) === sigStop);
      });
      sortEdges(edges);
      return edges;
    },
    close: () => trace.close(),
  };
}
