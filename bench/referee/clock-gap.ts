/**
 * The referee for hosts that do not permit tracing: busy targets that watch the clock. A gap is a time in which the target did not
 * run, so a window's end includes the wait for a CPU: errors are upper bounds. Sees busy targets only.
 */
import type { EdgesByPid } from "./edges.js";
import { addEdge } from "./edges.js";
import type { Referee } from "./referee.js";

export function openClockGapReferee(): Referee {
  return {
    name: "clock gaps seen by the targets",
    herdKind: (load) => (load === "busy" ? "probe" : undefined),
    begin() {
      // The probes have watched since they began to run.
    },
    async end(herd) {
      const edges: EdgesByPid = new Map(herd.pids.map((pid) => [pid, { timesNs: [], stops: [] }]));
      for (const { pid, fromNs, toNs } of await herd.gaps()) {
        addEdge(edges, pid, fromNs, true);
        addEdge(edges, pid, toNs, false);
      }
      return edges;
    },
    close() {
      // Nothing is held.
    },
  };
}
