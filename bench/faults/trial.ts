/** One death of an owner, and what became of its targets. */

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { OwnerOptions } from "./owner.js";
import { Owner } from "./owner-process.js";
import type { States } from "./states.js";

export interface Outcome {
  /** From the blow until none was stopped; NaN if some still were after `patienceMs`. */
  resumedMs: number;
  left: number;
}

const patienceMs = 5000;
/** A little more than one period, so that every moment of a cycle has its turn. */
const longestWaitMs = 300;

export interface Way {
  name: string;
  inWorker?: boolean;
  /** The fault. It returns at the moment from which time is counted. */
  strike(owner: Owner): void | Promise<void>;
  /** What brings the targets back where the guardian cannot; default: nothing. */
  remedy?(owner: Owner): void | Promise<void>;
  /** After the outcome; default: the owner has died. */
  finish?(owner: Owner, states: States): void | Promise<void>;
}

export async function trial(way: Way, options: OwnerOptions, states: States): Promise<Outcome> {
  const owner = await Owner.start(options, way.inWorker ?? false);
  try {
    await sleep(Math.random() * longestWaitMs);
    await way.strike(owner);
    const began = performance.now();
    await way.remedy?.(owner);
    const outcome = await untilNoneIsStopped(states, began);
    await way.finish?.(owner, states);
    return outcome;
  } finally {
    await owner.end();
  }
}

/** An owner that lives stops them again and again: that they are all seen running at one moment is enough then. */
async function untilNoneIsStopped(states: States, began: number): Promise<Outcome> {
  for (;;) {
    const left = states.stopped();
    const resumedMs = performance.now() - began;
    if (left === 0) return { resumedMs, left: 0 };
    if (resumedMs > patienceMs) return { resumedMs: Number.NaN, left };
    // Not a busy wait: this program has real-time priority.
    await sleep(1);
  }
}
