/** Every decision, in order: the last ones are remembered, all are counted, and whoever subscribes is told. */
import type { Decision, DecisionKind } from "./supervisor.js";

const remembered = 5000;

export type News = Partial<Omit<Decision, "sequence" | "at">> & Pick<Decision, "kind" | "reason">;

export class Journal {
  readonly #listeners = new Set<(decision: Decision) => void>();
  readonly #counts: Partial<Record<DecisionKind, number>> = {};
  #decisions: Decision[] = [];
  #sequence = 0;

  get counts(): Readonly<Partial<Record<DecisionKind, number>>> {
    return this.#counts;
  }

  /** Oldest first. */
  get decisions(): readonly Decision[] {
    return this.#decisions;
  }

  add(news: News): Decision {
    const decision: Decision = {
      sequence: ++this.#sequence,
      at: Date.now(),
      pid: null,
      name: null,
      uid: null,
      user: null,
      origin: null,
      by: null,
      asked: null,
      untilAt: null,
      ...news,
    };
    this.#counts[decision.kind] = (this.#counts[decision.kind] ?? 0) + 1;
    this.#decisions.push(decision);
    // Cut in blocks: to shift an array of 5,000 for every decision would cost more than the decision.
    if (this.#decisions.length > 2 * remembered) this.#decisions = this.#decisions.slice(-remembered);
    for (const listener of this.#listeners) listener(decision);
    return decision;
  }

  subscribe(listener: (decision: Decision) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
