/** What the addon that looks at the host can do (native/host): processes, passes over /proc, process events, COMMAND of `exec`. Times are nanoseconds. */
import { loadAddon } from "./native-addon.js";

/** One line of /proc/PID/stat and friends, as far as the library needs it. */
export interface ProcessIdentity {
  pid: number;
  parentPid: number;
  processGroup: number;
  session: number;
  /** Clock ticks after boot. */
  startTime: number;
  /** Inode of a pidfd; 0n where the kernel has no pidfs (before 6.9). */
  inode: bigint;
  name: string;
  state: string;
  threads: number;
  kernelThread: boolean;
}

/** Result of each probe: "" = yes, otherwise why not (strerror text). */
export interface HostProbe {
  fifo: string;
  shortSlice: string;
  pidfdOpen: string;
  pidfdSendSignal: string;
  pidfdInode: string;
  lockMemory: string;
  processEvents: string;
  procChildren: string;
  /** Bytes; -1 = unlimited. */
  memlockLimit: number;
  openFilesHard: number;
  rtprioLimit: number;
}

/** What happens to a command. "not-run", "exited" and "killed" are its end. */
export interface CommandEvent {
  type: "signal" | "stopped" | "not-run" | "exited" | "killed";
  /** A signal number; for "exited" the exit code, for "not-run" the errno of exec. "stopped" is never by SIGSTOP. */
  value: number;
  /** For "signal": it was passed on. Otherwise the command has it already, from whoever sent it to the whole process group. */
  passedOn: boolean;
  /** CLOCK_MONOTONIC, ns. */
  atNs: number;
}

export interface HeldCommand {
  readonly pid: number;
  /** It runs. */
  letGo(): void;
  /** It ends without having run. */
  abandon(): void;
}

/** What was found of one engine, living or dead. */
export interface NativeRecoveredTable {
  path: string;
  /** 0 when the file does not tell. */
  owner: number;
  removed: boolean;
  /** Why nothing was done, "" if it was. */
  ignored: string;
  members: { pid: number; cgroup: string; result: "resumed" | "gone" | "foreign" | "failed"; error: string }[];
}

/** Place of each number of a process in the rows of a `ScanBlock`. The order is that of native/host/scan_binding.h. */
export const ProcessField = {
  pid: 0,
  /** 1 = it was not in the pass before. */
  first: 1,
  startTime: 2,
  inode: 3,
  parent: 4,
  group: 5,
  session: 6,
  uid: 7,
  /** Character code of its state. */
  state: 8,
  threads: 9,
  nice: 10,
  residentBytes: 11,
  cpuNs: 12,
  waitedNs: 13,
  readAt: 14,
  /** Which of its texts follow in `text`, as bits. */
  texts: 15,
} as const;
export const ROW_NUMBERS = 16;

/** What a pass over /proc has found: new processes, and those of which anything has changed. */
export interface ScanBlock {
  /** False: /proc could not be listed. */
  complete: boolean;
  rows: Float64Array;
  /** Length in bytes of each text, in the order of the rows and of their bits. */
  lengths: Uint32Array;
  text: Buffer;
  /** PIDs; also of those whose PID belongs to another process now. */
  gone: Int32Array;
  /** CLOCK_BOOTTIME. */
  takenAtNs: number;
  processes: number;
  kernelThreads: number;
  hidden: number;
  unreadable: number;
  read: number;
  cpuNs: number;
}

/** Passes over /proc on a thread of libuv's pool (native/host/process_scan.h). One at a time. */
export interface ProcessScanner {
  scan(): Promise<ScanBlock>;
  /** Only these. */
  look(pids: Int32Array): Promise<ScanBlock>;
}

/** Tells of processes that start or call exec (native/host/process_watch.h). */
export interface ProcessWatcher {
  stop(): void;
}

export interface HostAddon {
  /**
   * Watches until `stop`. Does not keep the event loop alive.
   *
   * @param listener PIDs, some milliseconds of them at a time; `lost`: there were more
   * @throws Error with the reason where events cannot be had
   */
  ProcessWatcher: new (
    listener: (pids: Int32Array, lost: boolean) => void,
  ) => ProcessWatcher;
  /** @param texts which texts are read, as bits of `ProcessText` in native/host/process_scan.h */
  ProcessScanner: new (
    texts: number,
  ) => ProcessScanner;
  /** Resumes what dead engines left stopped (native/engine/recovery.h). `directory` "" = the usual places. */
  recover(directory: string, dryRun: boolean): NativeRecoveredTable[];
  /** Where tables of leases are made unless told otherwise. */
  runtimeDirectory(): string;
  /** Undefined when there is no such process. */
  identify(pid: number): ProcessIdentity | undefined;
  /** CPU time of a process so far, ns (clock_gettime on its CPU clock), or -1 if it is gone. */
  cpuTimeNs(pid: number): number;
  /** CLOCK_MONOTONIC, ns. */
  monotonicNs(): number;
  /** CLOCK_BOOTTIME, ns: what start times of processes are told by. /proc/uptime, which os.uptime() reads, is another clock in some containers (lxcfs). */
  sinceBootNs(): number;
  /** Sends a signal to the very process that was identified. False when it is gone or may not be signalled. */
  signalProcess(pid: number, startTime: number, inode: bigint, signal: number): boolean;
  probe(): HostProbe;
  /**
   * Forks a child that runs a command when let go. It is in our process group, on our terminal, with the default action for every signal and none
   * blocked. From now on the orphans of its descendants become our children (PR_SET_CHILD_SUBREAPER), and signals sent to
   * us are passed on to it (native/host/relay.h says which, and when not) and do not end us. Once in a process, on its main thread.
   *
   * @param words the command and its arguments, each ended by a zero byte
   * @param inheritedFds descriptors that it shall have, whether marked close-on-exec or not
   * @param openFiles its soft limit on open files; -1 = unlimited
   */
  holdCommand(words: Buffer, inheritedFds: Int32Array, openFiles: number, onEvent: (event: CommandEvent) => void): HeldCommand;
  /** Writes to standard error, at once, also where a background job is stopped for writing to its terminal. */
  complain(text: string): void;
  /** Does to this process what a job control signal does to a program that leaves it alone: stops it. Returns when continued. */
  stopSelf(signal: number): void;
  /** Does to this process what a signal does to a program that it kills. Nothing else runs: no exit handler, no clean-up. */
  dieOf(signal: number): never;
  /** _exit(2). Without Node's exit handlers, one of which puts the terminal back to how it was when Node started. */
  exitNow(code: number): never;
  /** Who is at the other end of a connected Unix socket (SO_PEERCRED, SO_PEERGROUPS), as it was when it connected. */
  peerCredentials(fd: number): { pid: number; uid: number; gid: number; groups: number[] };
  /** A datagram to a Unix socket, as sd_notify(3) sends it; "@" stands for the zero byte of an abstract address. "" or what went wrong. */
  sendDatagram(path: string, text: string): string;
  /** Ask the kernel to send `signal` to this process when the thread that forked it dies. */
  setParentDeathSignal(signal: number): void;
}

let hostAddon: HostAddon | undefined;

export function host(): HostAddon {
  hostAddon ??= loadAddon<HostAddon>("host");
  return hostAddon;
}
