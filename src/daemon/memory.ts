/** What outlives the daemon: gathered from those who know it, saved now and then, and given back to them at the next start. */
import type { ProcessSource } from "../discovery/source.js";
import type { RuleEngine } from "../rules/engine.js";
import { bootId } from "./boot-clock.js";
import type { Notifications } from "./notifications.js";
import type { QuotaKeeper } from "./quota-keeper.js";
import { type SavedState, StateStore } from "./state-store.js";
import type { Warnings } from "./warnings.js";

/** It is written at most this often while only figures change. */
const savedEveryMs = 10_000;

interface Parts {
  readonly quotas: QuotaKeeper;
  readonly engine: RuleEngine;
  readonly source: ProcessSource;
  readonly notifications: Notifications;
  readonly warnings: Warnings;
}

export class Memory {
  /** Since when everything runs, and who wanted it; null: it is hobbled. */
  off: SavedState["off"] = null;
  readonly #store: StateStore | undefined;
  readonly #parts: Parts;
  #savedAt = 0;

  /** @param path null: nothing is kept */
  constructor(path: string | null, parts: Parts) {
    this.#store = path === null ? undefined : new StateStore(path);
    this.#parts = parts;
  }

  get isOld(): boolean {
    return Date.now() - this.#savedAt > savedEveryMs;
  }

  async restore(): Promise<void> {
    const { quotas, engine, notifications, warnings } = this.#parts;
    try {
      const state = await this.#store?.load();
      if (state === undefined) return;
      const sameBoot = state.bootId === (await bootId());
      quotas.restore(state.quotas, sameBoot ? state.counted : []);
      notifications.restore(state.notified);
      if (sameBoot) engine.restore(state.forces);
      this.off = state.off;
    } catch (error) {
      warnings.tell((error as Error).message);
    }
  }

  async save(): Promise<void> {
    const { quotas, engine, source, notifications, warnings } = this.#parts;
    if (this.#store === undefined) return;
    this.#savedAt = Date.now();
    const state: SavedState = {
      version: 1,
      bootId: await bootId(),
      ...quotas.state(),
      forces: engine.forces(source.processes.values()),
      notified: notifications.state(Date.now()),
      off: this.off,
    };
    try {
      await this.#store.save(state);
      warnings.over("state");
    } catch (error) {
      const lost = "quotas cannot be saved, nor whether everything is off: both would be lost with a restart";
      warnings.once("state", `${lost}: ${(error as Error).message}`);
    }
  }
}
