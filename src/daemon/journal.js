const remembered = 5000;
export class Journal {
  #listeners = new Set();
  #counts = {};
  #decisions = [];
  #sequence = 0;
  get counts() {
    return this.#counts;
  }
  /** Oldest first. */
  get decisions() {
    return this.#decisions;
  }
  add(news) {
    const decision = {
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
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
