import { askedOf } from "./target-book.js";
export function reportOf(entry, stats) {
  const { process, target, amount } = entry;
  return {
    pid: process.pid,
    kind: entry.kind,
    parentPid: process.parentPid,
    name: process.name,
    uid: process.uid,
    user: process.user,
    origin: entry.origin,
    by: entry.by,
    byUid: entry.byUid,
    byAdmin: entry.byAdmin,
    reason: entry.reason,
    tier: entry.tier,
    sinceAt: entry.sinceAt,
    untilAt: entry.untilAt,
    ...askedOf(amount),
    state: stats?.state ?? (entry.ready ? target.state : "pending"),
    members: stats?.members ?? 0,
    dutyAsked: amount.run === undefined || amount.stop === undefined ? null : amount.run / (amount.run + amount.stop),
    dutyAchieved: stats?.dutyAchieved ?? null,
    cpu: entry.cpu,
    cpuSeconds: entry.cpuSeconds,
    cycles: stats?.cycles ?? 0,
    signals: stats?.signals ?? 0,
    skippedWindows: stats?.skippedWindows ?? 0,
    deferredWindows: stats?.deferredWindows ?? 0,
    runErrorP99Ns: stats?.runError.p99Ns ?? 0,
  };
}
