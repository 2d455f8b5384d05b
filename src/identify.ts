/** Who a process is, so that it can be told from a later one with the same PID. */
import { host, type ProcessIdentity } from "./native-host.js";
import { checkSelector } from "./options.js";

/**
 * What the kernel says about process `pid` now; undefined when there is no such process. Given to `Hobbler.add` it makes sure that the process
 * hobbled is the one that was looked at.
 *
 * @throws HobbleError `EINVAL` for what cannot be a PID, `ERR_UNSUPPORTED` where hobble does not work.
 */
export function identify(pid: number): ProcessIdentity | undefined {
  return host().identify(checkSelector(pid).pid);
}
