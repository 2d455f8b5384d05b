/** What the bench and a contestant say to each other. Peers know "start" and "stop" only. */
import type { HobblerStats } from "hobble";
import type { Summary } from "../statistics.js";

export interface HobbleOptions {
  realtime?: "off";
  precision?: "tight" | "economy";
}

export interface StartMessage {
  type: "start";
  pids: readonly number[];
  runMs: number;
  stopMs: number;
  /** Hobble each with its descendants; default: alone. */
  tree?: boolean;
  options?: HobbleOptions;
  /** To hobble: allow the CPU time that the cycle means, instead of the cycle; to each, or to all together. */
  as?: "limit" | "pool";
  via?: "freeze";
}

/** Further targets, with the same cycle. */
export interface AddMessage {
  type: "add";
  pids: readonly number[];
}

export type Message = StartMessage | AddMessage | { type: "stats" } | { type: "sums" } | { type: "engine" } | { type: "stop" };

/** Answer of hobble to "start", sent when all targets are ready. Peers send an empty one. */
export interface Started {
  /** CLOCK_MONOTONIC when the first `add` was called. */
  firstAddNs: number;
  /** How long the loop of `add` calls held the event loop. */
  addMs: number;
  /** How long the event loop was busy until all targets were ready, `addMs` included. */
  busyMs: number;
  /** Messages of the targets that could not be added. */
  refused: string[];
}

/** Answer of hobble to "stats". */
export interface StatsReply {
  engine: HobblerStats;
  /** How long some calls of `hobbler.stats()` took, of `hobbler.targetStats()`. */
  statsMs: Summary;
  targetStatsMs: Summary;
}

/** Answer of hobble to "engine": of its timer threads, since it began. */
export type EngineReply = Pick<HobblerStats, "cpuNs" | "elapsedNs" | "signals">;

/** Answer of hobble to "sums": over all targets, since it began. */
export interface SumsReply {
  ranNs: number;
  stoppedNs: number;
}
