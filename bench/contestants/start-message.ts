/** What a contestant is told to begin with. */
import type { Cycle } from "../referee/windows.js";
import type { Contestant } from "./contestant.js";
import type { StartMessage } from "./messages.js";

export function startMessage(
  { options, as, via }: Contestant,
  pids: readonly number[],
  { runMs, stopMs }: Cycle,
  tree = false,
): StartMessage {
  return { type: "start", pids, runMs, stopMs, tree, ...(options && { options }), ...(as && { as }), ...(via && { via }) };
}
