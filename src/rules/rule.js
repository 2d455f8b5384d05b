/** The CPU that this leaves to a process, in CPUs; by it the strictest is found. `pools` are the limits of pools. */
export function severity({ run, stop, limit, pool }, pools) {
  const own = run !== undefined && stop !== undefined ? run / (run + stop) : (limit ?? Number.POSITIVE_INFINITY);
  const shared = pool === undefined ? undefined : pools.get(pool)?.limit;
  return Math.min(own, shared ?? Number.POSITIVE_INFINITY);
}
