/** The one error class of the library. */

/**
 * - `ESRCH` no such process; `EPERM` it may not be signalled by us; `EINVAL` a value outside its range;
 *   `EMFILE` no file descriptor left for it
 * - `ERR_PROTECTED` PID 1, a kernel thread, ourselves or one of our ancestors
 * - `ERR_IDENTITY` the PID belongs to another process than the one that was chosen
 * - `ERR_BUSY` the process is a target already, of this hobbler or of another
 * - `ERR_OVERLOAD` the engine would need more CPU than `maxShare` for it
 * - `ERR_RUNTIME_DIR` the directory for the table of leases cannot be used
 * - `ERR_NO_DAEMON` no daemon answers; `ERR_SOCKET` the daemon's socket cannot be made
 * - `ERR_CLOSED` the hobbler was closed; `ERR_UNSUPPORTED` this host cannot do it
 */
export type HobbleErrorCode =
  | "ESRCH"
  | "EPERM"
  | "EINVAL"
  | "EMFILE"
  | "ERR_PROTECTED"
  | "ERR_IDENTITY"
  | "ERR_BUSY"
  | "ERR_OVERLOAD"
  | "ERR_RUNTIME_DIR"
  | "ERR_NO_DAEMON"
  | "ERR_SOCKET"
  | "ERR_CLOSED"
  | "ERR_UNSUPPORTED";

export class HobbleError extends Error {
  override readonly name = "HobbleError";
  readonly code: HobbleErrorCode;
  /** The process that the error is about, where there is one. */
  readonly pid: number | undefined;

  constructor(code: HobbleErrorCode, message: string, options: { pid?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.pid = options.pid;
  }
}

/** Calls the native side, which throws plain errors with a `code`, and makes HobbleErrors of them. */
export function callNative<T>(call: () => T, pid?: number): T {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause)) throw cause;
    throw new HobbleError(cause.code as HobbleErrorCode, cause.message, pid === undefined ? { cause } : { cause, pid });
  }
}
