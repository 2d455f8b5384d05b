/** Who is at the other end of a connection, as the kernel says (SO_PEERCRED, SO_PEERGROUPS). */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Caller } from "../daemon/supervisor.js";
import { HobbleError } from "../errors.js";
import { host } from "../native-host.js";

/** Who has all rights beside root; `ownUid` has them with a `--user` daemon. */
export interface Admins {
  readonly gid: number | undefined;
  readonly ownUid: number;
}

/** @throws HobbleError `EPERM` when it cannot be told. */
export function callerOf(socket: Socket, admins: Admins): Caller {
  const fd = descriptorOf(socket);
  if (fd === undefined) throw new HobbleError("EPERM", "it cannot be told who asks");
  const { uid, gid, groups } = host().peerCredentials(fd);
  const inAdminGroup = admins.gid !== undefined && (gid === admins.gid || groups.includes(admins.gid));
  return { uid, user: userName(uid), admin: uid === 0 || uid === admins.ownUid || inAdminGroup };
}

/** Node has no public way to it. Undefined where its insides are not what they are in the versions that were tried (20 to 24). */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  return typeof fd === "number" && Number.isInteger(fd) && fd >= 0 ? fd : undefined;
}

const names = new Map<number, { name: string; readAt: number }>();
const freshMs = 60_000;

/** From /etc/passwd, looked at once a minute at most for each; users of other name services appear as their uid. */
function userName(uid: number): string {
  const known = names.get(uid);
  if (known !== undefined && performance.now() - known.readAt < freshMs) return known.name;
  const name = lookUp("/etc/passwd", (fields) => fields[2] === String(uid))?.[0] ?? String(uid);
  names.set(uid, { name, readAt: performance.now() });
  return name;
}

/** From /etc/group; a number stands for itself. Undefined when there is no such group. */
export function groupId(nameOrId: string): number | undefined {
  if (/^\d+$/.test(nameOrId)) return Number(nameOrId);
  const id = lookUp("/etc/group", (fields) => fields[0] === nameOrId)?.[2];
  return id === undefined ? undefined : Number(id);
}

/** passwd(5) and group(5) have lines of fields with colons between them. */
function lookUp(file: string, wanted: (fields: string[]) => boolean): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    if (wanted(fields)) return fields;
  }
  return undefined;
}
