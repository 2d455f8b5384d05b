/** What the decisions work with: rules as they are after a configuration was read. */
import type { Condition } from "./conditions.js";

/** What is done to a process: a cycle or a limit, or only its share of a pool. Nanoseconds and CPUs. */
export interface Amount {
  readonly run?: number | undefined;
  readonly stop?: number | undefined;
  readonly limit?: number | undefined;
  readonly pool?: string | undefined;
}

export interface Rule {
  readonly name: string;
  readonly mode: "hobble" | "watch";
  readonly condition: Condition;
  /** How long the condition must hold before anything is done, ns. */
  readonly forNs: number;
  readonly when: Pressures | undefined;
  readonly amount: Amount;
  readonly tree: boolean;
  /** Lists of PIDs that it looks at. What they list is hobbled as trees. */
  readonly lists: readonly string[];
  readonly recover: { readonly afterNs: number; readonly unthrottledForNs: number } | undefined;
  readonly escalate: readonly (Amount & { readonly after: number })[];
  readonly notify: string | undefined;
}

/** Shares of time in which some task had to wait (PSI "some avg10"), 0 to 1. */
export interface Pressures {
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly io?: number | undefined;
}

/** The CPU that this leaves to a process, in CPUs; by it the strictest is found. `pools` are the limits of pools. */
export function severity({ run, stop, limit, pool }: Amount, pools: ReadonlyMap<string, { readonly limit: number }>): number {
  const own = run !== undefined && stop !== undefined ? run / (run + stop) : (limit ?? Number.POSITIVE_INFINITY);
  const shared = pool === undefined ? undefined : pools.get(pool)?.limit;
  return Math.min(own, shared ?? Number.POSITIVE_INFINITY);
}
