/** What a referee saw of each process: when it was stopped and when it was resumed. */

export interface Edges {
  /** CLOCK_MONOTONIC, ascending. */
  timesNs: number[];
  /** For each time: whether the process was stopped then (true) or resumed (false). */
  stops: boolean[];
}

/** By PID. */
export type EdgesByPid = Map<number, Edges>;

/** Sorts each process's edges by time: they may come from several CPUs' buffers, one after the other. */
export function sortEdges(edges: EdgesByPid): void {
  for (const [pid, { timesNs, stops }] of edges) {
    const order = timesNs.map((_, index) => index).sort((a, b) => (timesNs[a] ?? 0) - (timesNs[b] ?? 0));
    edges.set(pid, { timesNs: order.map((index) => timesNs[index] ?? Number.NaN), stops: order.map((index) => stops[index] ?? false) });
  }
}

export function addEdge(edges: EdgesByPid, pid: number, timeNs: number, stops: boolean): void {
  let own = edges.get(pid);
  if (own === undefined) {
    own = { timesNs: [], stops: [] };
    edges.set(pid, own);
  }
  own.timesNs.push(timeNs);
  own.stops.push(stops);
}
