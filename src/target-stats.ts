/** The figures of a target. Every duration is in nanoseconds and says so (`…Ns`); shares and duties are fractions of 1. */
import { inspect } from "node:util";
import { type NativeEngine, TARGET_FIELDS, TargetField, type TargetKind } from "./native.js";
import { duty } from "./stats.js";

export type TargetState = "pending" | "running" | "stopped" | "waiting" | "paused" | "gone" | "held";
export type TargetKindName = keyof typeof TargetKind;

export interface WindowError {
  /** Signed: above 0 means that windows were longer than asked for. */
  meanNs: number;
  /** Of absolute values. */
  p50Ns: number;
  p99Ns: number;
  maxNs: number;
}

const states: readonly TargetState[] = ["pending", "running", "stopped", "waiting", "paused", "gone", "held"];
const kinds: readonly TargetKindName[] = ["process", "group", "tree", "cgroup"];

export function kindName(kind: number): TargetKindName {
  return kinds[kind] ?? "process";
}

/**
 * What a target was at the moment of asking. A view of one block of numbers that the native side filled for all targets: objects with thirty
 * properties of their own would take 20 ms and 7 MB for 10,000 targets. `toJSON` makes such an object.
 */
export class TargetStats {
  readonly #block: Float64Array;
  readonly #at: number;

  /** @internal */
  constructor(block: Float64Array, at: number) {
    this.#block = block;
    this.#at = at;
  }

  #field(field: number): number {
    return this.#block[this.#at + field] ?? Number.NaN;
  }

  get id(): number {
    return this.#field(TargetField.id);
  }
  get kind(): TargetKindName {
    return kindName(this.#field(TargetField.kind));
  }
  /** The process, the root of the tree, or the process group; 0 for a cgroup. */
  get pid(): number {
    return this.#field(TargetField.pid);
  }
  get state(): TargetState {
    return states[this.#field(TargetField.state)] ?? "gone";
  }
  /** Processes that belong to it. */
  get members(): number {
    return this.#field(TargetField.members);
  }
  /** Those of them that somebody else stopped, or a debugger holds: they are not signalled. */
  get heldMembers(): number {
    return this.#field(TargetField.heldMembers);
  }
  /** Reports of members that ran in their stop windows. */
  get evasions(): number {
    return this.#field(TargetField.evasions);
  }
  /** CPU time that they used in them. */
  get evadedNs(): number {
    return this.#field(TargetField.evadedNs);
  }
  /** SIGSTOPs that they were sent again. */
  get restops(): number {
    return this.#field(TargetField.restops);
  }
  /** Whether it is watched for that now: it ran in one of the last stop windows. */
  get suspected(): boolean {
    return this.#field(TargetField.suspected) === 1;
  }
  /** How it is stopped: by SIGSTOP to each member, or as a cgroup that is frozen. */
  get via(): "signal" | "freeze" {
    return this.#field(TargetField.frozenWhole) === 1 ? "freeze" : "signal";
  }
  /** The cycle asked for: its run time, its stop time. 0 without a cycle. */
  get runNs(): number {
    return this.#field(TargetField.runNs);
  }
  get stopNs(): number {
    return this.#field(TargetField.stopNs);
  }
  /** Where in its period it begins to run. */
  get phaseNs(): number {
    return this.#field(TargetField.phaseNs);
  }
  /** Finished cycles: a stop window and the run window after it. */
  get cycles(): number {
    return this.#field(TargetField.cycles);
  }
  /** A write to a cgroup counts as one. */
  get signals(): number {
    return this.#field(TargetField.signals);
  }
  /** Windows that were wholly in the past when their turn came. */
  get skippedWindows(): number {
    return this.#field(TargetField.skippedWindows);
  }
  /** Run windows that had to wait because of `concurrency`. */
  get deferredWindows(): number {
    return this.#field(TargetField.deferredWindows);
  }
  /** Sum of the run windows of the finished cycles, sum of their stop windows. */
  get ranNs(): number {
    return this.#field(TargetField.ranNs);
  }
  get stoppedNs(): number {
    return this.#field(TargetField.stoppedNs);
  }
  /** undefined without a cycle. */
  get dutyAsked(): number | undefined {
    return this.runNs > 0 ? this.runNs / (this.runNs + this.stopNs) : undefined;
  }
  /** By the times of the signals; undefined until the first cycle has ended. */
  get dutyAchieved(): number | undefined {
    return duty(this.ranNs, this.stoppedNs);
  }
  /** The limit asked for, in CPUs; undefined where there is none. */
  get limit(): number | undefined {
    const limit = this.#field(TargetField.limit);
    return limit > 0 ? limit : undefined;
  }
  /** Under a limit: wall time for which CPU time was counted, up to the last look at the members' CPU clocks. */
  get meteredNs(): number {
    return this.#field(TargetField.meteredNs);
  }
  /** Under a limit: CPU time that its members spent in that time, also those that have exited. */
  get spentNs(): number {
    return this.#field(TargetField.spentNs);
  }
  /** spentNs / meteredNs, in CPUs; undefined without a limit. */
  get shareAchieved(): number | undefined {
    return this.meteredNs > 0 ? this.spentNs / this.meteredNs : undefined;
  }
  /** Time for which it was stopped, the present stop window included. */
  get throttledNs(): number {
    return this.#field(TargetField.throttledNs);
  }
  /** Of a cycle with a limit: run windows that were left out because the limit was spent. */
  get throttledWindows(): number {
    return this.#field(TargetField.throttledWindows);
  }
  /** Of a cycle with `spareIdle`: stops that were left out because nothing had been spent. */
  get sparedWindows(): number {
    return this.#field(TargetField.sparedWindows);
  }
  get runError(): WindowError {
    return this.#windowError(TargetField.runErrorMean);
  }
  get stopError(): WindowError {
    return this.#windowError(TargetField.stopErrorMean);
  }
  /** CPU time that its present members spent since they were added; undefined when it was not asked for. */
  get cpuNs(): number | undefined {
    const cpuNs = this.#field(TargetField.cpuNs);
    return Number.isNaN(cpuNs) ? undefined : cpuNs;
  }

  /** The four figures lie side by side, the mean first. */
  #windowError(mean: number): WindowError {
    return { meanNs: this.#field(mean), p50Ns: this.#field(mean + 1), p99Ns: this.#field(mean + 2), maxNs: this.#field(mean + 3) };
  }

  /** A plain object with all of the figures. */
  toJSON(): { [Figure in TargetFigure]: TargetStats[Figure] } {
    return Object.fromEntries(figures.map((figure) => [figure, this[figure]])) as { [Figure in TargetFigure]: TargetStats[Figure] };
  }

  [inspect.custom](): unknown {
    return this.toJSON();
  }
}

export type TargetFigure = Exclude<keyof TargetStats, "toJSON" | typeof inspect.custom>;

const figures = Object.entries(Object.getOwnPropertyDescriptors(TargetStats.prototype))
  .filter(([, { get }]) => get !== undefined)
  .map(([name]) => name as TargetFigure);

/** Figures of the targets `ids`, in one call of the native side; those that ended meanwhile are left out. `withCpu` costs 1 µs a member. */
export function readTargetStats(engine: NativeEngine, ids: Iterable<number>, withCpu: boolean): TargetStats[] {
  const wanted = Float64Array.from(ids);
  const block = new Float64Array(wanted.length * TARGET_FIELDS);
  engine.targetStats(wanted, block, withCpu);
  const stats: TargetStats[] = [];
  for (let at = 0; at < block.length; at += TARGET_FIELDS) {
    if (!Number.isNaN(block[at + TargetField.id])) stats.push(new TargetStats(block, at));
  }
  return stats;
}
