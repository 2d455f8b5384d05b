/** Asks a source again and again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Candidate, Source } from "./source.js";

/** A list, or why there is none this time. */
export type Listing = { list: Candidate[] } | { problem: Error };

/** Lists at once, then every `everyMs` after the last listing was used, until `signal` is aborted. */
export async function* poll(source: Source, everyMs: number, signal: AbortSignal): AsyncGenerator<Listing, void> {
  while (!signal.aborted) {
    yield await source.list().then(
      (list) => ({ list }),
      (problem: Error) => ({ problem }),
    );
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}
