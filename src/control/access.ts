/** Who may do what. The one place where that is decided; everything else asks here. */

import type { Caller, TargetReport } from "../daemon/supervisor.js";
import { HobbleError } from "../errors.js";

/** Beyond it a user who is no admin must lift some first: the daemon's file descriptors and CPU time belong to everybody. */
export const mostTargetsByHand = 200;

/** @throws HobbleError `EPERM` unless the caller is an admin. */
export function requireAdmin(caller: Caller, what: string): void {
  if (!caller.admin) throw refusal(`only for root and the admin group: ${what}`);
}

/** A user sees, and may ask about, processes of their own. */
export function maySee(caller: Caller, ownerUid: number): boolean {
  return caller.admin || caller.uid === ownerUid;
}

/** @throws HobbleError `EPERM` for a process of another user. */
export function requireSight(caller: Caller, ownerUid: number, pid: number): void {
  if (!maySee(caller, ownerUid)) throw refusal(`process ${pid} is another user's`, pid);
}

/**
 * All of a process's user IDs must be the caller's: a program that is setuid acts for somebody else.
 *
 * @throws HobbleError `EPERM`
 */
export function requireOwnership(caller: Caller, uids: readonly number[], kind: TargetReport["kind"], pid: number): void {
  if (caller.admin) return;
  if (!uids.every((uid) => uid === caller.uid)) throw refusal(`process ${pid} is another user's`, pid);
  // Its members may come to be other users' processes (sudo), which its owner could not stop.
  if (kind !== "process")
    throw refusal(`only root and the admin group may hobble a ${kind} through the daemon; give single processes`, pid);
}

/** @throws HobbleError `EPERM` unless the caller may lift the target. */
export function requireLifting(caller: Caller, target: TargetReport): void {
  if (caller.admin) return;
  requireSight(caller, target.uid, target.pid);
  if (target.origin !== "hand")
    throw refusal(`the ${target.origin} "${target.by}" imposed it; only root and the admin group may lift it`, target.pid);
  if (target.byAdmin === true) throw refusal(`${target.by} imposed it as admin; only root and the admin group may lift it`, target.pid);
  if (target.byUid !== caller.uid) throw refusal(`${target.by} imposed it`, target.pid);
}

function refusal(why: string, pid?: number): HobbleError {
  return new HobbleError("EPERM", why, pid === undefined ? {} : { pid });
}
