/** What callers may ask for, its ranges, and how it reads on the native side. All input is checked here, before anything native is called. */
import * as v from "valibot";
import { check, durationIn, oneOf, wholeNumber } from "./check.js";
import type { Duration } from "./duration.js";
import { GuardianMode, type NativeEngineOptions, OnEvasion, Precision, RealtimeMode, TargetKind, Via } from "./native.js";

export interface HobblerOptions {
  /**
   * SCHED_FIFO for the timer thread: "auto" takes it where the host allows, "require" makes the constructor throw `EPERM` where it does not,
   * "off" does not try. Default "auto".
   */
  realtime?: "auto" | "require" | "off" | undefined;
  /** SCHED_FIFO priority, 1 to 98. Default 50. */
  priority?: number | undefined;
  /** Pins the timer thread to this CPU. Default: not pinned. */
  cpu?: number | undefined;
  /**
   * What punctuality may cost. "tight" wakes early by a margin that it learns and spins the rest; "balanced" spins at most 50 µs for each
   * wake-up; "economy" never spins and shares wake-ups among more targets. Default "balanced".
   */
  precision?: "tight" | "balanced" | "economy" | undefined;
  /**
   * Most targets that run at once; the others wait for their turn, which is counted as deferred windows. "auto": no cap under SCHED_FIFO, else
   * one less than there are CPUs, at least 1. "none": no cap. Default "auto".
   */
  concurrency?: "auto" | "none" | number | undefined;
  /** Share of one CPU that the engine may use itself, above 0 to 1. Beyond it periods are lengthened, then targets are refused. Default 0.8. */
  maxShare?: number | undefined;
  /**
   * The guardian is a process of its own that resumes everything if this one dies or hangs. "auto": an event `unguarded` tells when there is
   * none; "require": the constructor throws, and the hobbler closes when it cannot be replaced; "off": none. Default "auto".
   */
  guardian?: "auto" | "require" | "off" | undefined;
  /**
   * A process that somebody else stopped (SIGSTOP, Ctrl-Z), or that a debugger holds: "respect" leaves it alone until it runs again, "ignore" goes
   * on with its cycle, and so resumes it. Default "respect".
   */
  foreignStops?: "respect" | "ignore" | undefined;
  /**
   * Executables whose processes are never stopped, as absolute paths (links resolved). They come beside the usual ones: init systems, journal and
   * login services, sshd's listener, container runtimes, message buses, display servers. Default: none more.
   */
  protect?: readonly string[] | undefined;
  /** What is done about targets that run although they are stopped, where they do not say otherwise (see `Stopping`). Default "auto". */
  onEvasion?: "auto" | "restop" | "freeze" | "report" | undefined;
  /** Whether those usual ones are protected. Default true. */
  protectUsual?: boolean | undefined;
  /**
   * Whether forks are followed by what the kernel tells of them (netlink proc connector), where that is allowed. Without it trees are read again
   * every 100 ms, and after each stop. Default true.
   */
  processEvents?: boolean | undefined;
  /**
   * Most members of one target, 1 to 1,000,000. Beyond it the target is frozen as a cgroup where that is allowed; else no more are taken. The event
   * `crowded` tells. Default 4096.
   */
  maxMembers?: number | undefined;
  /**
   * Where the table of what is stopped is kept: an absolute path of a directory that only this user may enter; made if need be. Default:
   * /run/hobble as root, else $XDG_RUNTIME_DIR/hobble, else /dev/shm/hobble-UID.
   */
  runtimeDir?: string | undefined;
  /** After this time everything is resumed and released, even while the event loop is starved: at least 1 ms. Default: never. */
  for?: Duration | undefined;
  /** Aborting it closes the hobbler. */
  signal?: AbortSignal | undefined;
}

/** What to hobble. Properties beside those named here are ignored, so that what `identify` returns can be given as it is. */
export type TargetSelector =
  | number
  | ({ pid: number } & SeenIdentity & Stopping)
  | ({ group: number } & SeenIdentity & Stopping)
  | ({
      tree: number;
      /** Processes that the kernel hands to us as child subreaper belong to the tree too, and are reaped by us. Default false. */
      adoptOrphans?: boolean | undefined;
    } & SeenIdentity &
      Stopping)
  | ({
      /** Path of the group's directory, such as /sys/fs/cgroup/user.slice/tarpit. Groups below it belong to it. */
      cgroup: string;
      /** Inode of that directory: if it is another group by now, it is refused with `ERR_IDENTITY`. */
      inode?: bigint | undefined;
    } & Stopping);

export interface Stopping {
  /**
   * "freeze": the kernel's cgroup freezer, one write for all processes: forks are followed by the kernel, the target cannot undo it, its parents do
   * not see it. For processes and trees a group is made below their present one, and removed at the end; where that is not allowed they are sent
   * signals, and `unfrozen` tells why. "signal": SIGSTOP and SIGCONT to each process. Default "auto": "freeze" for a cgroup where that is allowed,
   * else signals, unless it has to be frozen (`maxMembers`).
   */
  via?: "auto" | "freeze" | "signal" | undefined;
  /**
   * What is done when members run in their stop windows, because somebody sends them SIGCONT (the event `evasion` tells). "restop": they are sent
   * SIGSTOP again, which may cost a quarter of `maxShare`; "freeze": they are frozen as a cgroup, where that is allowed; "auto": first the one, then,
   * when it goes on, the other; "report": nothing. Default: that of the hobbler.
   */
  onEvasion?: "auto" | "restop" | "freeze" | "report" | undefined;
}

/** The process as it was seen when it was chosen. If it is another process by now, it is refused with `ERR_IDENTITY`. */
export interface SeenIdentity {
  /** Clock ticks after boot. */
  startTime?: number | undefined;
  /** Inode of a pidfd; 0n counts as not given. */
  inode?: bigint | undefined;
}

/** What cpu_set_t holds. */
const maxCpu = 1023;
/** PID_MAX_LIMIT of 64-bit kernels. */
const maxPid = 2 ** 22;

const concurrencyMust = '"auto", "none" or a whole number from 1';
const shareMust = "a share above 0 and at most 1";
const executableMust = "the absolute path of an executable";
const runtimeDirMust = "an absolute path";
const hobblerOptions = v.strictObject(
  {
    realtime: v.optional(oneOf("auto", "require", "off"), "auto"),
    priority: v.optional(wholeNumber(1, 98, "a whole number from 1 to 98"), 50),
    cpu: v.optional(wholeNumber(0, maxCpu, "the number of a CPU")),
    precision: v.optional(oneOf("tight", "balanced", "economy"), "balanced"),
    concurrency: v.optional(v.union([oneOf("auto", "none"), wholeNumber(1, 1e6, concurrencyMust)], concurrencyMust), "auto"),
    maxShare: v.optional(v.pipe(v.number(shareMust), v.gtValue(0, shareMust), v.maxValue(1, shareMust)), 0.8),
    guardian: v.optional(oneOf("auto", "require", "off"), "auto"),
    foreignStops: v.optional(oneOf("respect", "ignore"), "respect"),
    protect: v.optional(v.array(v.pipe(v.string(executableMust), v.startsWith("/", executableMust)), "a list of paths"), []),
    onEvasion: v.optional(oneOf("auto", "restop", "freeze", "report"), "auto"),
    protectUsual: v.optional(v.boolean("true or false"), true),
    processEvents: v.optional(v.boolean("true or false"), true),
    maxMembers: v.optional(wholeNumber(1, 1e6, "a whole number from 1 to 1000000"), 4096),
    runtimeDir: v.optional(v.pipe(v.string(runtimeDirMust), v.regex(/^\/[^\0]*$/, runtimeDirMust))),
    for: v.optional(durationIn(1e6, Number.MAX_SAFE_INTEGER, 'a duration of at least 1 ms, such as "5s"')),
    signal: v.optional(v.instance(AbortSignal, "an AbortSignal")),
  },
  "an object",
);

export function checkHobblerOptions(options: HobblerOptions): {
  native: NativeEngineOptions;
  signal: AbortSignal | undefined;
  onEvasion: number;
} {
  const checked = check(hobblerOptions, options, "the options");
  const { concurrency } = checked;
  const native = {
    realtime: RealtimeMode[checked.realtime],
    priority: checked.priority,
    cpu: checked.cpu ?? -1,
    precision: Precision[checked.precision],
    concurrency: concurrency === "auto" ? 0 : concurrency === "none" ? -1 : concurrency,
    maxShare: checked.maxShare,
    forNs: checked.for ?? 0,
    forceKill: false,
    guardian: GuardianMode[checked.guardian],
    protectedPrograms: [...checked.protect],
    protectUsual: checked.protectUsual,
    processEvents: checked.processEvents,
    maxMembers: checked.maxMembers,
    respectForeignStops: checked.foreignStops === "respect",
    runtimeDirectory: checked.runtimeDir ?? "",
  };
  return { native, signal: checked.signal, onEvasion: OnEvasion[checked.onEvasion] };
}

const pid = wholeNumber(1, maxPid, `a PID (a whole number from 1 to ${maxPid})`);
const seen = {
  startTime: v.optional(wholeNumber(0, Number.MAX_SAFE_INTEGER, "clock ticks after boot")),
  inode: v.optional(v.pipe(v.bigint("the inode of a pidfd (a bigint)"), v.minValue(0n, "the inode of a pidfd (a bigint)"))),
};
const stopping = {
  via: v.optional(oneOf("auto", "freeze", "signal"), "auto"),
  onEvasion: v.optional(oneOf("auto", "restop", "freeze", "report")),
};
const cgroupMust = "the absolute path of a cgroup's directory";
const processSelector = v.object({ pid, ...seen, ...stopping });
const groupSelector = v.object({ group: pid, ...seen, ...stopping });
const treeSelector = v.object({ tree: pid, adoptOrphans: v.optional(v.boolean("true or false")), ...seen, ...stopping });
const cgroupSelector = v.object({
  cgroup: v.pipe(v.string(cgroupMust), v.regex(/^\/[^\0]*$/, cgroupMust), v.maxLength(4095, cgroupMust)),
  inode: v.optional(v.pipe(v.bigint("the inode of a directory (a bigint)"), v.minValue(0n, "the inode of a directory (a bigint)"))),
  ...stopping,
});

export interface Selection {
  kind: number;
  pid: number;
  startTime: number;
  inode: bigint;
  adoptOrphans: boolean;
  cgroup: string;
  via: number;
  /** Undefined: that of the hobbler. */
  onEvasion: number | undefined;
}

export function checkSelector(selector: TargetSelector): Selection {
  // What the schema would say of a plain PID, without its 1 µs and its garbage: `add` is called 10,000 times in a row.
  if (typeof selector === "number" && Number.isInteger(selector) && selector >= 1 && selector <= maxPid)
    return selection(TargetKind.process, selector, {});
  if (typeof selector !== "object" || selector === null) return selection(TargetKind.process, check(pid, selector, "the target"), {});
  if ("tree" in selector) {
    const checked = check(treeSelector, selector, "the target");
    return selection(TargetKind.tree, checked.tree, checked);
  }
  if ("group" in selector) {
    const checked = check(groupSelector, selector, "the target");
    return selection(TargetKind.group, checked.group, checked);
  }
  if ("cgroup" in selector) {
    const checked = check(cgroupSelector, selector, "the target");
    return selection(TargetKind.cgroup, 0, checked);
  }
  const checked = check(processSelector, selector, "the target");
  return selection(TargetKind.process, checked.pid, checked);
}

type Seen = SeenIdentity & {
  adoptOrphans?: boolean | undefined;
  cgroup?: string;
  via?: keyof typeof Via;
  onEvasion?: keyof typeof OnEvasion | undefined;
};

function selection(
  kind: number,
  pid: number,
  { startTime = -1, inode = 0n, adoptOrphans = false, cgroup = "", via = "auto", onEvasion }: Seen,
): Selection {
  return { kind, pid, startTime, inode, adoptOrphans, cgroup, via: Via[via], onEvasion: onEvasion && OnEvasion[onEvasion] };
}
