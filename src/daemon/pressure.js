/** How much others have to wait for the CPU, memory and disks: PSI, Documentation/accounting/psi.rst of the kernel. */
import { readFile } from "node:fs/promises";

const kinds = ["cpu", "memory", "io"];
/** Shares of the last 10 s, 0 to 1. What the kernel does not tell is left out: a rule that asks for it then never takes hold. */
export async function readPressures() {
  const shares = await Promise.all(kinds.map(readPressure));
  return Object.fromEntries(kinds.map((kind, index) => [kind, shares[index]]));
}
async function readPressure(kind) {
  const text = await readFile(`/proc/pressure/${kind}`, "utf8").catch(() => "");
  const [, percent] = /^some avg10=(\d+\.\d+)/m.exec(text) ?? [];
  return percent === undefined ? undefined : Number(percent) / 100;
}
