/** The figures of a target. Every duration is in nanoseconds and says so (`…Ns`); shares and duties are fractions of 1. */
import { inspect } from "node:util";
import { TARGET_FIELDS, TargetField } from "./native.js";
import { duty } from "./stats.js";

const states = ["pending", "running", "stopped", "waiting", "paused", "gone", "held"];
const kinds = ["process", "group", "tree"];
export function kindName(kind) {
  return kinds[kind] ?? "process";
}
/**
 * What a target was at the moment of asking. A view of one block of numbers that the native side filled for all targets: objects with thirty
 * properties of their own would take 20 ms and 7 MB for 10,000 targets. `toJSON` makes such an object.
 */
export class TargetStats {
  #block;
  #at;
  /** @internal */
  constructor(block, at) {
    this.#block = block;
    this.#at = at;
  }
  #field(field) {
    return this.#block[this.#at + field] ?? Number.NaN;
  }
  get id() {
    return this.#field(TargetField.id);
  }
  get kind() {
    return kindName(this.#field(TargetField.kind));
  }
  /** The process, the root of the tree, or the process group. */
  get pid() {
    return this.#field(TargetField.pid);
  }
  get state() {
    return states[this.#field(TargetField.state)] ?? "gone";
  }
  /** Processes that belong to it. */
  get members() {
    return this.#field(TargetField.members);
  }
  /** Those of them that somebody else stopped, or a debugger holds: they are not signalled. */
  get heldMembers() {
    return this.#field(TargetField.heldMembers);
  }
  /** The cycle asked for: its run time, its stop time. 0 without a cycle. */
  get runNs() {
    return this.#field(TargetField.runNs);
  }
  get stopNs() {
    return this.#field(TargetField.stopNs);
  }
  /** Where in its period it begins to run. */
  get phaseNs() {
    return this.#field(TargetField.phaseNs);
  }
  /** Finished cycles: a stop window and the run window after it. */
  get cycles() {
    return this.#field(TargetField.cycles);
  }
  get signals() {
    return this.#field(TargetField.signals);
  }
  /** Windows that were wholly in the past when their turn came. */
  get skippedWindows() {
    return this.#field(TargetField.skippedWindows);
  }
  /** Run windows that had to wait because of `concurrency`. */
  get deferredWindows() {
    return this.#field(TargetField.deferredWindows);
  }
  /** Sum of the run windows of the finished cycles, sum of their stop windows. */
  get ranNs() {
    return this.#field(TargetField.ranNs);
  }
  get stoppedNs() {
    return this.#field(TargetField.stoppedNs);
  }
  /** undefined without a cycle. */
  get dutyAsked() {
    return this.runNs > 0 ? this.runNs / (this.runNs + this.stopNs) : undefined;
  }
  /** By the times of the signals; undefined until the first cycle has ended. */
  get dutyAchieved() {
    return duty(this.ranNs, this.stoppedNs);
  }
  /** The limit asked for, in CPUs; undefined where there is none. */
  get limit() {
    const limit = this.#field(TargetField.limit);
    return limit > 0 ? limit : undefined;
  }
  /** Under a limit: wall time for which CPU time was counted, up to the last look at the members' CPU clocks. */
  get meteredNs() {
    return this.#field(TargetField.meteredNs);
  }
  /** Under a limit: CPU time that its members spent in that time, also those that have exited. */
  get spentNs() {
    return this.#field(TargetField.spentNs);
  }
  /** spentNs / meteredNs, in CPUs; undefined without a limit. */
  get shareAchieved() {
    return this.meteredNs > 0 ? this.spentNs / this.meteredNs : undefined;
  }
  /** Time for which it was stopped, the present stop window included. */
  get throttledNs() {
    return this.#field(TargetField.throttledNs);
  }
  /** Of a cycle with a limit: run windows that were left out because the limit was spent. */
  get throttledWindows() {
    return this.#field(TargetField.throttledWindows);
  }
  /** Of a cycle with `spareIdle`: stops that were left out because nothing had been spent. */
  get sparedWindows() {
    return this.#field(TargetField.sparedWindows);
  }
  get runError() {
    return this.#windowError(TargetField.runErrorMean);
  }
  get stopError() {
    return this.#windowError(TargetField.stopErrorMean);
  }
  /** CPU time that its present members spent since they were added; undefined when it was not asked for. */
  get cpuNs() {
    const cpuNs = this.#field(TargetField.cpuNs);
    return Number.isNaN(cpuNs) ? undefined : cpuNs;
  }
  /** The four figures lie side by side, the mean first. */
  #windowError(mean) {
    return { meanNs: this.#field(mean), p50Ns: this.#field(mean + 1), p99Ns: this.#field(mean + 2), maxNs: this.#field(mean + 3) };
  }
  /** A plain object with all of the figures. */
  toJSON() {
    return Object.fromEntries(figures.map((figure) => [figure, this[figure]]));
  }
  [inspect.custom]() {
    return this.toJSON();
  }
}
const figures = Object.entries(Object.getOwnPropertyDescriptors(TargetStats.prototype))
  .filter(([, { get }]) => get !== undefined)
  .map(([name]) => name);
/** Figures of the targets `ids`, in one call of the native side; those that ended meanwhile are left out. `withCpu` costs 1 µs a member. */
export function readTargetStats(engine, ids, withCpu) {
  const wanted = Float64Array.from(ids);
  const block = new Float64Array(wanted.length * TARGET_FIELDS);
  engine.targetStats(wanted, block, withCpu);
  const stats = [];
  for (let at = 0; at < block.length; at += TARGET_FIELDS) {
    if (!Number.isNaN(block[at + TargetField.id])) stats.push(new TargetStats(block, at));
  }
  return stats;
}
