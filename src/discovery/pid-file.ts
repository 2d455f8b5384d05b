/** A file with a PID on each line, such as the `cgroup.procs` of a cgroup. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Candidate, Source } from "./source.js";

/**
 * The lines of such a file; empty ones are skipped. All or nothing: half of a list that is just being written must not release the other half.
 *
 * @throws Error that names the first line that is not a PID.
 */
export function parsePidList(text: string): Candidate[] {
  const pids = new Set<number>();
  for (const [index, line] of text.split("\n").entries()) {
    const word = line.trim();
    if (word === "") continue;
    // A cgroup.procs shows 0 for a process of an outer PID namespace: nothing that could be hobbled from here.
    if (!/^[1-9]\d{0,6}$/.test(word)) throw new Error(`line ${index + 1} is not a PID: ${JSON.stringify(word.slice(0, 40))}`);
    pids.add(Number(word));
  }
  return [...pids].map((pid) => ({ pid }));
}

export function pidFile(path: string): Source {
  return {
    async list() {
      try {
        return parsePidList(await readList(path));
      } catch (error) {
        throw new Error(`${path}: ${reason(error)}`, { cause: error });
      }
    },
  };
}

/** A pipe of that name must not keep us waiting for its writer. */
async function readList(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) throw new Error("this is not a regular file");
  return file.readFile("utf8");
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" ? "not permitted to read it" : message;
}
