/** How much of everything is done. */
export interface Lengths {
  /** Deaths of each way. */
  trials: number;
  suspensionMs: number;
  busyTargets: number;
  busyTrials: number;
  ancestors: number;
  /** Rounds of `reusesAtOnce` reused PIDs. */
  reuseRounds: number;
  foreignStops: number;
  soakSeconds: number;
  soakTargets: number;
  soakTurnsPerSecond: number;
  fuzzInputs: number;
  /** Timing is measured: not where others use the machine. */
  costRounds: number;
}

export const full: Lengths = {
  trials: 125,
  suspensionMs: 5000,
  busyTargets: 1000,
  busyTrials: 50,
  ancestors: 100,
  reuseRounds: 200,
  foreignStops: 200,
  soakSeconds: 1200,
  soakTargets: 2000,
  soakTurnsPerSecond: 200,
  fuzzInputs: 10_000_000,
  costRounds: 7,
};

/** For CI: every way once or a few times. */
export const quick: Lengths = {
  trials: 2,
  suspensionMs: 1000,
  busyTargets: 100,
  busyTrials: 2,
  ancestors: 8,
  reuseRounds: 10,
  foreignStops: 20,
  soakSeconds: 60,
  soakTargets: 2000,
  soakTurnsPerSecond: 200,
  fuzzInputs: 100_000,
  costRounds: 0,
};
