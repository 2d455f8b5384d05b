/** What engines that were killed left stopped. */
import * as v from "valibot";
import { check } from "./check.js";
import { callNative } from "./errors.js";
import { host } from "./native-host.js";

/** A process, or a cgroup that was frozen as a whole. */
export interface RecoveredProcess {
  /** 0 for a cgroup. */
  pid: number;
  /** Path of the cgroup. */
  cgroup: string | undefined;
  /**
   * "resumed"; "gone": it has exited; "foreign": somebody else stopped it too, or a debugger holds it, so it was left alone; "failed": it could not
   * be resumed.
   */
  result: "resumed" | "gone" | "foreign" | "failed";
  /** Why it failed. */
  error: string | undefined;
}

/** The table of leases of one engine. */
export interface RecoveredTable {
  path: string;
  /** PID that the engine had. */
  owner: number | undefined;
  /** The file is gone: there is nothing left to do. */
  removed: boolean;
  /** Why nothing was done: the owner lives, or it is no table that can be trusted. */
  ignored: string | undefined;
  members: RecoveredProcess[];
}

/**
 * Resumes what dead engines left stopped, and nothing that a living one holds. Every new `Hobbler` does the same first.
 *
 * @param options.runtimeDir the directory to look in. Default: the usual one of this user; as root, those of all users.
 * @param options.dryRun look, but touch nothing. Default false.
 */
export function recover(options: { runtimeDir?: string | undefined; dryRun?: boolean | undefined } = {}): RecoveredTable[] {
  const { runtimeDir = "", dryRun = false } = check(recoverOptions, options, "the options");
  return callNative(() => host().recover(runtimeDir, dryRun)).map((table) => ({
    ...table,
    owner: table.owner === 0 ? undefined : table.owner,
    ignored: table.ignored === "" ? undefined : table.ignored,
    members: table.members.map((member) => ({
      ...member,
      cgroup: member.cgroup === "" ? undefined : member.cgroup,
      error: member.error === "" ? undefined : member.error,
    })),
  }));
}

const recoverOptions = v.strictObject(
  {
    runtimeDir: v.optional(v.pipe(v.string("an absolute path"), v.startsWith("/", "an absolute path"))),
    dryRun: v.optional(v.boolean("true or false")),
  },
  "an object",
);
