/** A file with a PID on each line, such as the `cgroup.procs` of a cgroup. */
import { readFile } from "node:fs/promises";
/**
 * The lines of such a file; empty ones are skipped. All or nothing: half of a list that is just being written must not release the other half.
 *
 * @throws Error that names the first line that is not a PID.
 */
export function parsePidList(text) {
  const pids = new Set();
  for (const [index, line] of text.split("\n").entries()) {
    const word = line.trim();
    if (word === "") continue;
    // A cgroup.procs shows 0 for a process of an outer PID namespace: nothing that could be hobbled from here.
    if (!/^[1-9]\d{0,6}$/.test(word)) throw new Error(`line ${index + 1} is not a PID: ${JSON.stringify(word.slice(0, 40))}`);
    pids.add(Number(word));
  }
  return [...pids].map((pid) => ({ pid }));
}
export function pidFile(path) {
  return {
    async list() {
      try {
        return parsePidList(await readFile(path, "utf8"));
      } catch (error) {
        throw new Error(`${path}: ${reason(error)}`, { cause: error });
      }
    },
  };
}
function reason(error) {
  const { code, message } = error;
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" ? "not permitted to read it" : message;
}
