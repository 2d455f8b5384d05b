/** Who hobbles: the programs that are compared. */
import { repository } from "../native-programs.js";
import type { HobbleOptions } from "./messages.js";

export interface Contestant {
  name: string;
  command: string;
  args: string[];
  /** Part of the "start" message; peers do not look at it. */
  options?: HobbleOptions;
  /** Likewise: hobble is to limit CPU time instead of keeping a cycle. */
  as?: "limit" | "pool";
  /** Likewise: each target is frozen in a cgroup that hobble makes for it. */
  via?: "freeze";
}

/** The library, in a Node process of its own. */
export function hobble(options: HobbleOptions = {}): Contestant {
  const words = Object.values(options);
  return {
    name: words.length === 0 ? "hobble" : `hobble (${words.join(", ")})`,
    command: process.execPath,
    args: [`${repository}/build-bench/contestants/hobble-process.js`],
    options,
  };
}

/** What everybody writes first: one coroutine for each process. */
export const asyncio: Contestant = { name: "asyncio", command: "python3", args: [`${repository}/bench/peers/asyncio_loop.py`] };
