/**
 * The native side, declared: loads the two addons and types every function and class they export.
 * Nothing else in the library touches the addons. Times are nanoseconds as JavaScript numbers (exact up to 104 days).
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { callNative, HobbleError } from "./errors.js";
/** What a target is made of. The numbers are those of `TargetKind` in native/engine/target.h. */
export const TargetKind = { process: 0, group: 1, tree: 2 };
/** How a phase is chosen. The numbers are those of `PhaseMode` in native/engine/schedule.h. */
export const PhaseMode = { spread: 0, aligned: 1, offset: 2 };
/** The numbers are those of `RealtimeMode` in native/engine/realtime.h. */
export const RealtimeMode = { auto: 0, require: 1, off: 2 };
/** The numbers are those of `Precision` in native/engine/lane.h. */
export const Precision = { tight: 0, balanced: 1, economy: 2 };
/** The numbers are those of `GuardMode` in native/engine/guard.h. */
export const GuardianMode = { auto: 0, require: 1, off: 2 };
/** Index of each figure in the block that `targetStats` fills for each target. */
export const TargetField = {
  id: 0,
  kind: 1,
  pid: 2,
  /** 0 pending, 1 running, 2 stopped, 3 waiting for the concurrency cap, 4 paused, 5 gone, 6 held: somebody else stopped all its members */
  state: 3,
  members: 4,
  cycles: 5,
  signals: 6,
  skippedWindows: 7,
  deferredWindows: 8,
  /** Sums over the finished cycles, ns: of their run windows, of the stop windows before them. */
  ranNs: 9,
  stoppedNs: 10,
  /** Mean signed error, then quantiles of the absolute error, ns. */
  runErrorMean: 11,
  runErrorP50: 12,
  runErrorP99: 13,
  runErrorMax: 14,
  stopErrorMean: 15,
  stopErrorP50: 16,
  stopErrorP99: 17,
  stopErrorMax: 18,
  runNs: 19,
  stopNs: 20,
  phaseNs: 21,
  /** CPU time spent by the living members since they were added, ns. NaN when not asked for. */
  cpuNs: 22,
  heldMembers: 23,
  /** Its limit in CPUs, 0 for none. */
  limit: 24,
  /** Under a limit, ns: wall time, and the CPU time that its members spent in it, also those that have exited. */
  meteredNs: 25,
  spentNs: 26,
  /** How long it was stopped because it had spent its limit, ns. */
  throttledNs: 27,
  /** Stops left out because nothing had been spent; run windows left out because the limit was spent. */
  sparedWindows: 28,
  throttledWindows: 29,
};
export const TARGET_FIELDS = 30;
/** Index of each part of a target's terms in the block that `add` and `update` take. */
export const TermsField = {
  /** Both 0: no cycle. */
  runNs: 0,
  stopNs: 1,
  phaseMode: 2,
  phaseNs: 3,
  /** In CPUs; 0 = none. */
  limit: 4,
  burstNs: 5,
  minRunNs: 6,
  /** 1: a cycle leaves out the stop when nothing was spent in the run window. */
  spareIdle: 7,
  /** What `addPool` returned; 0 = none. */
  pool: 8,
  /** From 0.001 to 1000. */
  weight: 9,
};
export const TERMS_FIELDS = 10;
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
};
export const ROW_NUMBERS = 16;
/** The package's root, seen from dist/native.js. */
const packageRoot = fileURLToPath(new URL("..", import.meta.url));
/** The compiled addon, or a HobbleError with ERR_UNSUPPORTED that says why it cannot be had here. */
function load(name) {
  if (process.platform !== "linux") {
    throw new HobbleError("ERR_UNSUPPORTED", `hobble works on Linux only; this is ${process.platform}`);
  }
  const require = createRequire(import.meta.url);
  try {
    return require(`${packageRoot}/build/Release/hobble_${name}.node`);
  } catch (cause) {
    throw new HobbleError(
      "ERR_UNSUPPORTED",
      `the native addon of hobble could not be loaded: ${cause.message}; run "npm rebuild hobble" (needs a C++20 compiler, make and Python 3)`,
      { cause },
    );
  }
}
let engineAddon;
let hostAddon;
export function createEngine(options, onEvents) {
  engineAddon ??= load("engine");
  const { Engine } = engineAddon;
  return callNative(() => new Engine({ ...options, guardianProgram: `${packageRoot}build/Release/hobble_guardian` }, onEvents));
}
export function pauseOnSignal(signal, onPaused) {
  engineAddon ??= load("engine");
  const { pauseOnSignal } = engineAddon;
  callNative(() => pauseOnSignal(signal, onPaused));
}
export function host() {
  hostAddon ??= load("host");
  return hostAddon;
}
