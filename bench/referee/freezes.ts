/**
 * The referee of cgroup freezers (v2): the tracepoint cgroup:cgroup_notify_frozen, which fires when the last process of a group has frozen and
 * when it is thawed.
 */
import { statSync } from "node:fs";
import { addEdge, type EdgesByPid, sortEdges } from "./edges.js";
import { TraceInstance } from "./trace-instance.js";

export interface FreezeReferee {
  /** `groupOf`: the path of the group that holds a process, and nothing else. */
  begin(expectedEvents: number): void;
  end(groups: ReadonlyMap<number, string>): EdgesByPid;
  close(): void;
}

/** @throws Error (EACCES, EPERM, ENOENT) where tracefs may not be used. */
export function openFreezeReferee(): FreezeReferee {
  const trace = new TraceInstance("cgroup/cgroup_notify_frozen");
  const idOffset = trace.fieldOffset("id");
  const valueOffset = trace.fieldOffset("val");
  return {
    begin: (expectedEvents) => trace.begin("0", expectedEvents),
    end(groups) {
      // A group's id is the inode of its folder.
      const pidOf = new Map([...groups].map(([pid, path]) => [statSync(path, { bigint: true }).ino, pid]));
      const edges: EdgesByPid = new Map([...groups.keys()].map((pid) => [pid, { timesNs: [], stops: [] }]));
      trace.end((page, timeNs, data) => {
        const pid = pidOf.get(page.getBigUint64(data + idOffset, true));
        if (pid !== undefined) addEdge(edges, pid, timeNs, page.getInt32(data + valueOffset, true) !== 0);
      });
      sortEdges(edges);
      return edges;
    },
    close: () => trace.close(),
  };
}
