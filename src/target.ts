/** One target, as its owner holds it. */
import { HobbleError } from "./errors.js";
import type { EndReason, Lifecycle } from "./lifecycle.js";
import type { NativeEngine } from "./native.js";
import type { Selection } from "./options.js";
import { kindName, readTargetStats, type TargetKindName, type TargetState, type TargetStats } from "./target-stats.js";
import { type CheckedTerms, checkTermsUpdate, type FindPool, type TermsChanges } from "./terms.js";

/** For its hobbler, which alone knows what happens to it. */
export let lifecycleOf: (target: Target) => Lifecycle;
/** The engine did not take the terms of an update: those before it stay in force. */
export let refuseUpdate: (target: Target, revision: number) => void;

/** Of terms that were offered, so many are kept: a refusal comes within milliseconds. */
const offersKept = 16;

export class Target {
  /** Unique within its hobbler, from 1. */
  readonly id: number;
  /** The process, the root of the tree, or the process group; 0 for a cgroup. */
  readonly pid: number;
  /** Path of a cgroup as it was given; undefined for everything else. */
  readonly cgroup: string | undefined;
  readonly kind: TargetKindName;
  readonly #engine: NativeEngine;
  readonly #lifecycle: Lifecycle;
  readonly #findPool: FindPool;
  /** Terms that were not refused; the last are in force, or will be when the engine has heard of them. */
  #offers: { revision: number; terms: CheckedTerms }[];
  #revision = 0;

  static {
    lifecycleOf = (target) => target.#lifecycle;
    refuseUpdate = (target, revision) => {
      const left = target.#offers.filter((offer) => offer.revision !== revision);
      if (left.length > 0) target.#offers = left;
    };
  }

  /** @internal Targets come from `Hobbler.add`. */
  constructor(engine: NativeEngine, lifecycle: Lifecycle, id: number, selection: Selection, terms: CheckedTerms, findPool: FindPool) {
    this.#engine = engine;
    this.#lifecycle = lifecycle;
    this.id = id;
    this.pid = selection.pid;
    this.cgroup = selection.cgroup === "" ? undefined : selection.cgroup;
    this.kind = kindName(selection.kind);
    this.#offers = [{ revision: 0, terms }];
    this.#findPool = findPool;
  }

  /**
   * Resolves when the first signal was sent. Rejects with a HobbleError where it cannot be: `ESRCH`, `EPERM`, `EMFILE`, `ERR_PROTECTED`,
   * `ERR_IDENTITY`, `ERR_BUSY`, `ERR_OVERLOAD`, `ERR_CLOSED`. A rejection that nobody awaits does no harm.
   */
  get ready(): Promise<void> {
    return this.#lifecycle.ready;
  }

  /** Resolves when it is a target no longer. Never rejects; does not keep the event loop alive. */
  get ended(): Promise<EndReason> {
    return this.#lifecycle.ended;
  }

  get state(): TargetState {
    return this.stats()?.state ?? "gone";
  }

  /** PIDs of the processes that belong to it now, parents before children. */
  get members(): number[] {
    return this.#lifecycle.end === undefined ? this.#engine.members(this.id) : [];
  }

  /**
   * Changes its terms; what is not given stays as it is, `null` takes it away: `{ run: null, limit: "5%" }` puts a limit in the place of a cycle.
   * A window of a cycle that has begun is finished or cut by the new lengths, whichever ends it sooner. Terms for which the engine would need more
   * than `maxShare`, or that a group frozen by cgroup v1 cannot have, are refused with an "overload" event; those before stay in force.
   *
   * @throws HobbleError `EINVAL` for a value out of its range, `ERR_CLOSED` when it is a target no longer.
   */
  update(changes: TermsChanges): void {
    const before = this.#offers.at(-1) as { terms: CheckedTerms };
    const terms = checkTermsUpdate(before.terms, changes, this.#findPool);
    if (this.#lifecycle.end !== undefined || this.#lifecycle.releasing) {
      throw new HobbleError("ERR_CLOSED", `${this.cgroup ?? `process ${this.pid}`} is a target no longer`, { pid: this.pid });
    }
    const revision = ++this.#revision;
    this.#engine.update(this.id, terms.block, revision);
    this.#offers = [...this.#offers, { revision, terms }].slice(-offersKept);
  }

  /** Its figures, CPU time included; undefined when it is a target no longer. */
  stats(): TargetStats | undefined {
    return this.#lifecycle.end === undefined ? readTargetStats(this.#engine, [this.id], true)[0] : undefined;
  }

  /** Stops hobbling it. When this resolves its processes run, or are gone. May be called again at any time. */
  async release(): Promise<void> {
    const lifecycle = this.#lifecycle;
    if (lifecycle.end === undefined && !lifecycle.releasing) {
      this.#engine.release(this.id);
      lifecycle.markReleasing();
    }
    await lifecycle.ended;
  }
}
