/** The public API, and nothing else. */
export { type CpuLimit, parseCpuLimit } from "./cpu-limit.js";
export { type Duration, parseDuration } from "./duration.js";
export { HobbleError, type HobbleErrorCode } from "./errors.js";
export { type EvasionEvent, Hobbler, type HobblerEvents, type OverloadEvent } from "./hobbler.js";
export { identify } from "./identify.js";
export type { EndReason } from "./lifecycle.js";
export type { ProcessIdentity } from "./native-host.js";
export type { HobblerOptions, SeenIdentity, Stopping, TargetSelector } from "./options.js";
export type { Pool, PoolChanges, PoolOptions, PoolStats } from "./pool.js";
export { type RecoveredProcess, type RecoveredTable, recover } from "./recovery.js";
export type { EngineHistograms, Histogram, HobblerStats, Quantiles } from "./stats.js";
export type { Target } from "./target.js";
export type { TargetKindName as TargetKind, TargetState, TargetStats, WindowError } from "./target-stats.js";
export type { CycleOptions, LimitOptions, ShareOptions, TargetTerms, TermsChanges } from "./terms.js";
