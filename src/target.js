/** One target, as its owner holds it. */
import { HobbleError } from "./errors.js";
import { kindName, readTargetStats } from "./target-stats.js";
import { checkTermsUpdate } from "./terms.js";
/** For its hobbler, which alone knows what happens to it. */
export let lifecycleOf;
export class Target {
  /** Unique within its hobbler, from 1. */
  id;
  /** The process, the root of the tree, or the process group. */
  pid;
  kind;
  #engine;
  #lifecycle;
  #findPool;
  #terms;
  static {
    lifecycleOf = (target) => target.#lifecycle;
  }
  /** @internal Targets come from `Hobbler.add`. */
  constructor(engine, lifecycle, id, selection, terms, findPool) {
    this.#engine = engine;
    this.#lifecycle = lifecycle;
    this.id = id;
    this.pid = selection.pid;
    this.kind = kindName(selection.kind);
    this.#terms = terms;
    this.#findPool = findPool;
  }
  /**
   * Resolves when the first signal was sent. Rejects with a HobbleError where it cannot be: `ESRCH`, `EPERM`, `EMFILE`, `ERR_PROTECTED`,
   * `ERR_IDENTITY`, `ERR_BUSY`, `ERR_OVERLOAD`, `ERR_CLOSED`. A rejection that nobody awaits does no harm.
   */
  get ready() {
    return this.#lifecycle.ready;
  }
  /** Resolves when it is a target no longer. Never rejects; does not keep the event loop alive. */
  get ended() {
    return this.#lifecycle.ended;
  }
  get state() {
    return this.stats()?.state ?? "gone";
  }
  /** PIDs of the processes that belong to it now, parents before children. */
  get members() {
    return this.#lifecycle.end === undefined ? this.#engine.members(this.id) : [];
  }
  /**
   * Changes its terms; what is not given stays as it is, `null` takes it away: `{ run: null, limit: "5%" }` puts a limit in the place of a cycle.
   * A window of a cycle that has begun is finished or cut by the new lengths, whichever ends it sooner.
   *
   * @throws HobbleError `EINVAL` for a value out of its range, `ERR_CLOSED` when it is a target no longer.
   */
  update(changes) {
    const terms = checkTermsUpdate(this.#terms, changes, this.#findPool);
    if (this.#lifecycle.end !== undefined || this.#lifecycle.releasing) {
      throw new HobbleError("ERR_CLOSED", `process ${this.pid} is a target no longer`, { pid: this.pid });
    }
    this.#engine.update(this.id, terms.block);
    this.#terms = terms;
  }
  /** Its figures, CPU time included; undefined when it is a target no longer. */
  stats() {
    return this.#lifecycle.end === undefined ? readTargetStats(this.#engine, [this.id], true)[0] : undefined;
  }
  /** Stops hobbling it. When this resolves its processes run, or are gone. May be called again at any time. */
  async release() {
    const lifecycle = this.#lifecycle;
    if (lifecycle.end === undefined && !lifecycle.releasing) {
      this.#engine.release(this.id);
      lifecycle.markReleasing();
    }
    await lifecycle.ended;
  }
}
