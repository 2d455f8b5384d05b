/** Whose a process is, looked at so that it is certain which process that was. */
import { readFileSync } from "node:fs";
import { HobbleError } from "../errors.js";
import { identify } from "../identify.js";
import type { ProcessIdentity } from "../native-host.js";

export interface OwnedProcess extends ProcessIdentity {
  /** Real, effective, saved and file system uid. */
  uids: readonly number[];
}

/** @throws HobbleError `ESRCH` when there is no such process. */
export function ownedProcess(pid: number): OwnedProcess {
  const before = identify(pid);
  const uids = readUids(pid);
  const after = identify(pid);
  // The PID may have come to be another process's between the looks.
  const same = before?.inode === after?.inode && before?.startTime === after?.startTime;
  if (after === undefined || uids === undefined || !same) throw new HobbleError("ESRCH", `there is no process ${pid}`, { pid });
  return { ...after, uids };
}

/** Line "Uid:" of proc_pid_status(5). */
function readUids(pid: number): number[] | undefined {
  try {
    const [, uids] = /^Uid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return uids?.split("\t").map(Number);
  } catch {
    return undefined;
  }
}
