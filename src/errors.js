/** The one error class of the library. */
export class HobbleError extends Error {
  name = "HobbleError";
  code;
  /** The process that the error is about, where there is one. */
  pid;
  constructor(code, message, options = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.pid = options.pid;
  }
}
/** Calls the native side, which throws plain errors with a `code`, and makes HobbleErrors of them. */
export function callNative(call, pid) {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause)) throw cause;
    throw new HobbleError(cause.code, cause.message, pid === undefined ? { cause } : { cause, pid });
  }
}
