/** Who observes. A referee sees processes being stopped and resumed, and knows nothing of who does it. */
import type { Gap, HerdKind, Load } from "../herd.js";
import { openClockGapReferee } from "./clock-gap.js";
import type { EdgesByPid } from "./edges.js";
import { openTracefsReferee } from "./tracefs.js";

/** What is watched: a herd, or whatever has PIDs. */
export interface Watched {
  readonly pids: readonly number[];
  gaps(): Promise<Gap[]>;
}

export interface Referee {
  readonly name: string;
  /** What the herd must be made of to be seen; undefined: this referee cannot see such processes. */
  herdKind(load: Load): HerdKind | undefined;
  begin(herd: Watched, expectedSignals: number): void;
  /** What was seen since `begin`. Fails if anything may have been missed. */
  end(herd: Watched): Promise<EdgesByPid>;
  close(): void;
}

/** The best referee that this host permits, and why it is not the kernel where it is not. */
export function openReferee(): { referee: Referee; note?: string } {
  try {
    return { referee: openTracefsReferee() };
  } catch (error) {
    return {
      referee: openClockGapReferee(),
      note: `no kernel tracing (${(error as Error).message}): window errors are upper bounds, they contain the targets' waits for a CPU`,
    };
  }
}
