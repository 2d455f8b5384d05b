/** One question about the host, and its answer. */

export interface Check {
  name: string;
  /** "partly": it is there, but less of it than hobble can use. */
  verdict: "yes" | "partly" | "no";
  /** What was found. */
  found: string;
  /** What it costs that it is not there. Without it the verdict is "yes". */
  cost?: string;
  /** How to get it. */
  remedy?: string;
  /** Without it hobble does not work at all. */
  essential?: true;
}

interface Lack {
  cost: string;
  remedy: string;
  essential?: true;
}

export function present(name: string, found: string): Check {
  return { name, verdict: "yes", found };
}

export function lacking(name: string, found: string, lack: Lack): Check {
  return { name, verdict: "no", found, ...lack };
}

export function scarce(name: string, found: string, lack: Lack): Check {
  return { name, verdict: "partly", found, ...lack };
}

/** hobble works on a host that lacks much; a few things it cannot do without. */
export function usable(checks: readonly Check[]): boolean {
  return !checks.some(({ verdict, essential }) => verdict === "no" && essential);
}
