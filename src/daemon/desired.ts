/** From what is wanted of single processes to targets: related processes become trees. Pure. */
import type { ProcessInfo } from "../discovery/process-info.js";
import { ancestorsOf } from "../rules/conditions.js";
import type { Amount } from "../rules/rule.js";
import type { Origin } from "./supervisor.js";

/** What a rule or a quota wants done to one process. */
export interface Want {
  readonly process: ProcessInfo;
  readonly amount: Amount;
  readonly tier: number;
  readonly origin: Origin;
  /** Name of the rule or quota. */
  readonly by: string;
  readonly reason: string;
  /** ms since the epoch. */
  readonly sinceAt: number;
  readonly untilAt: number | null;
  readonly notify: string | undefined;
  /**
   * - "process": each for itself
   * - "tree": with all its descendants, wanted or not
   * - "listed": related ones as a tree, but nobody who is not wanted himself
   */
  readonly spread: "process" | "tree" | "listed";
}

export interface Desired extends Want {
  readonly kind: "process" | "tree";
  /** In step with the others, as the parts of one list are. */
  readonly aligned: boolean;
}

export interface DesiredTargets {
  readonly targets: Map<number, Desired>;
  /** Processes that are hobbled as part of a tree: their PID, and that of its root. */
  readonly covered: Map<number, number>;
}

export function desiredTargets(wants: ReadonlyMap<number, Want>, processes: ReadonlyMap<number, ProcessInfo>): DesiredTargets {
  const targets = new Map<number, Desired>();
  const covered = new Map<number, number>();
  const related = new Map<number, Want[]>();
  for (const want of wants.values()) {
    const { pid } = want.process;
    const top = want.spread === "process" ? undefined : topmost(want, wants, processes);
    if (top === undefined) {
      targets.set(pid, { ...want, kind: want.spread === "tree" ? "tree" : "process", aligned: false });
    } else {
      covered.set(pid, top);
      const others = related.get(top);
      if (others === undefined) related.set(top, [want]);
      else others.push(want);
    }
  }
  if (related.size === 0) return { targets, covered };
  const children = childrenOf(processes);
  for (const [top, members] of related) {
    const root = targets.get(top);
    if (root === undefined || root.spread === "tree") continue;
    if (onlyWanted(top, root.by, wants, children)) {
      targets.set(top, { ...root, kind: "tree", aligned: false });
      continue;
    }
    targets.set(top, { ...root, aligned: true });
    for (const member of members) {
      covered.delete(member.process.pid);
      targets.set(member.process.pid, { ...member, kind: "process", aligned: true });
    }
  }
  return { targets, covered };
}

/** The uppermost ancestor that the same rule wants. */
function topmost({ process, by }: Want, wants: ReadonlyMap<number, Want>, processes: ReadonlyMap<number, ProcessInfo>): number | undefined {
  let top: number | undefined;
  for (const { pid } of ancestorsOf(process, processes)) if (wants.get(pid)?.by === by) top = pid;
  return top;
}

function childrenOf(processes: ReadonlyMap<number, ProcessInfo>): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const { pid, parentPid, state } of processes.values()) {
    if (state === "Z") continue;
    const siblings = children.get(parentPid);
    if (siblings === undefined) children.set(parentPid, [pid]);
    else siblings.push(pid);
  }
  return children;
}

function onlyWanted(root: number, by: string, wants: ReadonlyMap<number, Want>, children: ReadonlyMap<number, readonly number[]>): boolean {
  const seen = new Set<number>();
  const ahead = [root];
  for (let pid = ahead.pop(); pid !== undefined; pid = ahead.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    if (wants.get(pid)?.by !== by) return false;
    ahead.push(...(children.get(pid) ?? []));
  }
  return true;
}
