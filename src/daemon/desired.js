import { ancestorsOf } from "../rules/conditions.js";
export function desiredTargets(wants, processes) {
  const targets = new Map();
  const covered = new Map();
  const related = new Map();
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
function topmost({ process, by }, wants, processes) {
  let top;
  for (const { pid } of ancestorsOf(process, processes)) if (wants.get(pid)?.by === by) top = pid;
  return top;
}
function childrenOf(processes) {
  const children = new Map();
  for (const { pid, parentPid, state } of processes.values()) {
    if (state === "Z") continue;
    const siblings = children.get(parentPid);
    if (siblings === undefined) children.set(parentPid, [pid]);
    else siblings.push(pid);
  }
  return children;
}
function onlyWanted(root, by, wants, children) {
  const seen = new Set();
  const ahead = [root];
  for (let pid = ahead.pop(); pid !== undefined; pid = ahead.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    if (wants.get(pid)?.by !== by) return false;
    ahead.push(...(children.get(pid) ?? []));
  }
  return true;
}
