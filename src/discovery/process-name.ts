/** Processes of the programs whose name matches a regular expression, found with ps. */
import { identify } from "../identify.js";
import { host } from "../native-host.js";
import type { Candidate, Source } from "./source.js";

/** Clock ticks of /proc in a second (USER_HZ): 100 on every architecture that hobble runs on. */
const ticksPerSecond = 100;

/** `pattern` is tried on the name of the executable file, or where that may not be read (another user's) on what ps calls the command. */
export function processName(pattern: RegExp): Source {
  return {
    async list() {
      // Only when it is needed: it imports node:process, which opens the standard streams and makes the pipes among them non-blocking. What `exec`
      // starts would inherit that.
      const { default: psList } = await import("ps-list");
      const listedAt = (host().sinceBootNs() / 1e9) * ticksPerSecond;
      const processes = await psList();
      const candidates: Candidate[] = [];
      for (const { pid, name } of processes) {
        if (pid === process.pid || !pattern.test(name)) continue;
        const identity = identify(pid);
        // Gone since ps looked, or younger than the listing: then its PID was reused meanwhile, or the next listing will find it.
        if (identity === undefined || identity.startTime > listedAt) continue;
        candidates.push({ pid, startTime: identity.startTime, inode: identity.inode });
      }
      return candidates;
    },
  };
}
