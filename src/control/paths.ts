/** Where the daemon's socket is. */
import { HobbleError } from "../errors.js";

/** Of the host's daemon, which root runs. */
export const systemSocketPath = "/run/hobble/hobble.sock";

/** Of one's own daemon (`hobble daemon --user`): beside its table of what is stopped. */
export function userSocketPath(): string {
  const session = process.env.XDG_RUNTIME_DIR;
  if (session?.startsWith("/")) return `${session}/hobble/hobble.sock`;
  const uid = process.geteuid?.();
  if (uid === undefined) throw new HobbleError("ERR_UNSUPPORTED", "hobble works on Linux only");
  return `/dev/shm/hobble-${uid}/hobble.sock`;
}
