/** What an operator should know, as decisions in the journal. */
import type { Journal } from "./journal.js";

export class Warnings {
  readonly #journal: Journal;
  readonly #told = new Set<string>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  tell(reason: string): void {
    this.#journal.add({ kind: "warning", reason });
  }

  /** Not again before `over` was called with the same key. */
  once(key: string, reason: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.tell(reason);
  }

  over(key: string): void {
    this.#told.delete(key);
  }
}
