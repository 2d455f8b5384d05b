/** The exit codes of every subcommand, in one place. */
import { HobbleError, type HobbleErrorCode } from "../errors.js";

export const ExitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** Nothing to do: every target was gone. */
  gone: 3,
  notPermitted: 4,
  /** No daemon answers on its socket. */
  noDaemon: 5,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What `--help` of each subcommand says about them. */
export const exitCodesHelp = `
Exit codes:
  0  done, also when it was ended with Ctrl-C, SIGTERM or SIGHUP
  1  failure
  2  usage: an option or a PID that cannot be right
  3  nothing to do: the target was gone
  4  not permitted: by the system, or because the process is protected`;

/** Of the commands that talk to the daemon. */
export const daemonExitCodesHelp = `
Exit codes:
  0  done
  1  failure
  2  usage: an option or a PID that cannot be right
  3  there is no such process or target
  4  not permitted: another user's process, or imposed by a rule or an admin
  5  no daemon answers`;

const exitCodes: Record<HobbleErrorCode, ExitCode> = {
  EINVAL: ExitCode.usage,
  ESRCH: ExitCode.gone,
  ERR_IDENTITY: ExitCode.gone,
  EPERM: ExitCode.notPermitted,
  ERR_PROTECTED: ExitCode.notPermitted,
  EMFILE: ExitCode.failure,
  ERR_BUSY: ExitCode.failure,
  ERR_OVERLOAD: ExitCode.failure,
  ERR_RUNTIME_DIR: ExitCode.failure,
  ERR_NO_DAEMON: ExitCode.noDaemon,
  ERR_SOCKET: ExitCode.failure,
  ERR_CLOSED: ExitCode.failure,
  ERR_UNSUPPORTED: ExitCode.failure,
};

export function exitCodeOf(error: unknown): ExitCode {
  // A daemon of another version may know codes that this one does not.
  return error instanceof HobbleError ? (exitCodes[error.code] ?? ExitCode.failure) : ExitCode.failure;
}

/** For several targets of which none could be hobbled. */
export function exitCodeOfAll(failures: ReadonlySet<ExitCode>): ExitCode {
  const [only] = failures;
  if (failures.size === 1 && only !== undefined) return only;
  const harmless: ReadonlySet<ExitCode> = new Set([ExitCode.gone, ExitCode.notPermitted]);
  return [...failures].every((code) => harmless.has(code)) ? ExitCode.notPermitted : ExitCode.failure;
}
