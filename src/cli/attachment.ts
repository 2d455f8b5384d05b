/** The targets of one `attach`: adds them, releases them, and keeps account of how that went. */

import { Follower } from "../discovery/follower.js";
import { type Listing, poll } from "../discovery/poll.js";
import type { Candidate, Source } from "../discovery/source.js";
import { HobbleError, type HobbleErrorCode } from "../errors.js";
import type { Hobbler } from "../hobbler.js";
import type { TargetSelector } from "../options.js";
import type { Target } from "../target.js";
import type { TargetTerms } from "../terms.js";
import type { AttachReport } from "./attach-report.js";
import { ExitCode, exitCodeOf, exitCodeOfAll } from "./exit.js";

/** What was given or listed: a process, or a cgroup, which has no PID. */
export type Wanted = Candidate & { cgroup?: string };

/** Reasons that may pass: a listed process that failed for one of them is tried again with the next list. */
const passing: ReadonlySet<HobbleErrorCode> = new Set(["EMFILE", "ERR_BUSY", "ERR_OVERLOAD"]);

export class Attachment {
  hobbled = 0;
  failed = 0;
  readonly #failures = new Set<ExitCode>();
  /** By the PID, or path, that was given or listed. */
  readonly #targets = new Map<number | string, Target>();
  readonly #told = new Map<number | string, HobbleErrorCode>();
  readonly #follower = new Follower();
  #following = false;

  constructor(
    private readonly hobbler: Hobbler,
    private readonly terms: TargetTerms,
    private readonly select: (wanted: Wanted) => TargetSelector,
    private readonly report: AttachReport,
  ) {
    // Comes also when a target fails after it was hobbled: a process that has become another user's.
    hobbler.on("error", ({ target, error }) => this.#fail(target, error));
  }

  get exitCode(): ExitCode {
    return this.hobbled > 0 || this.#failures.size === 0 ? ExitCode.ok : exitCodeOfAll(this.#failures);
  }

  /** Resolves when none of them is a target any more. */
  async hobbleUntilGone(candidates: readonly Wanted[]): Promise<void> {
    await Promise.all(candidates.map((candidate) => this.#add(candidate)));
    await Promise.all([...this.#targets.values()].map((target) => target.ended));
  }

  /**
   * Follows the source until aborted.
   *
   * @throws Error when its first list cannot be had: later ones may fail, but a source that never worked is a mistake.
   */
  async follow(source: Source, everyMs: number, signal: AbortSignal): Promise<void> {
    let lastProblem: string | undefined;
    for await (const listing of poll(source, everyMs, signal)) {
      if (signal.aborted) return;
      const problem = problemOf(listing);
      if (problem !== undefined && !this.#following) throw problem;
      if (problem !== undefined && problem.message !== lastProblem) {
        this.report.tell({ event: "warning", message: `${problem.message}; the list before it stays in force` });
      }
      lastProblem = problem?.message;
      if ("list" in listing) {
        this.#following = true;
        this.#apply(listing.list);
      }
    }
  }

  #apply(list: readonly Candidate[]): void {
    const { appeared, vanished } = this.#follower.follow(list);
    for (const pid of vanished) {
      this.#told.delete(pid);
      const target = this.#targets.get(pid);
      if (target === undefined) continue;
      this.#targets.delete(pid);
      void target.release().then(() => this.report.tell({ event: "released", pid, kind: target.kind }));
    }
    for (const candidate of appeared) void this.#add(candidate);
  }

  /** Resolves when it is known whether it could be hobbled. */
  async #add(wanted: Wanted): Promise<void> {
    const key = keyOf(wanted);
    try {
      const target = this.hobbler.add(this.select(wanted), this.terms);
      this.#targets.set(key, target);
      void target.ended.then(() => {
        if (this.#targets.get(key) === target) this.#targets.delete(key);
      });
      await target.ready;
      this.hobbled++;
      this.#told.delete(key);
      this.report.tell({ event: "hobbled", ...nameOf(wanted), kind: target.kind });
      void target.ended.then((reason) => {
        if (reason === "exit") this.report.tell({ event: "exit", ...nameOf(wanted), kind: target.kind });
      });
    } catch (error) {
      this.#fail(wanted, error);
    }
  }

  #fail(wanted: { pid: number; cgroup?: string | undefined }, error: unknown): void {
    if (!(error instanceof HobbleError)) throw error;
    // We end just now, or the list no longer has it.
    if (error.code === "ERR_CLOSED") return;
    if (passing.has(error.code)) this.#follower.offerAgain(wanted.pid);
    // A list names a process and its children; the children are members of its tree.
    if (error.code === "ERR_BUSY" && this.#following) return;
    const key = keyOf(wanted);
    if (this.#told.get(key) === error.code) return;
    this.#told.set(key, error.code);
    this.failed++;
    this.#failures.add(exitCodeOf(error));
    this.report.tell({ event: "failed", ...nameOf(wanted), code: error.code, message: error.message });
  }
}

function keyOf({ pid, cgroup }: { pid: number; cgroup?: string | undefined }): number | string {
  return cgroup ?? pid;
}

/** As events name it. */
export function nameOf({ pid, cgroup }: { pid: number; cgroup?: string | undefined }): { pid: number; cgroup?: string } {
  return cgroup === undefined ? { pid } : { pid, cgroup };
}

function problemOf(listing: Listing): Error | undefined {
  return "problem" in listing ? listing.problem : undefined;
}
