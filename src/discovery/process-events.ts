/** New processes at once: the kernel tells of every fork and exec, where we are permitted to listen (CAP_NET_ADMIN). */
import { host } from "../native-host.js";

/** Calls `listener` with PIDs until stopped. What is lost in a burst, the next scan finds. */
export function watchProcesses(listener: (pids: Iterable<number>) => void): { stop: () => void } | { problem: string } {
  try {
    const Watcher = host().ProcessWatcher;
    const watcher = new Watcher((pids) => listener(pids));
    return { stop: () => watcher.stop() };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
