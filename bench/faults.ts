/**
 * Fault injection: owners, guardians and members die in all sorts of ways at random moments, PIDs are reused, others stop what is hobbled, tables
 * are tampered with. Nothing may be left stopped, nobody else signalled. docs/safety.md says what came of it.
 *
 *   npm run test:faults                        the full length: about an hour, of which the soak takes 20 minutes
 *   npm run test:faults -- --quick             a few of each: about two minutes
 *   npm run test:faults -- --only soak,fuzz    some parts
 *   npm run test:faults -- --trials 200        so many deaths of each way
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ancestorsDie } from "./faults/ancestors.js";
import { leaseCost } from "./faults/cost.js";
import { busyDeaths, deathsOfGuardians, limitedDeaths, ownerDeaths } from "./faults/deaths.js";
import { foreignStops } from "./faults/foreign.js";
import { frozenGroups } from "./faults/frozen.js";
import { leaseFuzz } from "./faults/fuzz.js";
import { full, type Lengths, quick } from "./faults/lengths.js";
import { reusedPids } from "./faults/reuse.js";
import { soak } from "./faults/soak.js";
import { Verdicts } from "./faults/verdicts.js";

const parts: Record<string, (lengths: Lengths, verdicts: Verdicts) => void | Promise<void>> = {
  deaths: ownerDeaths,
  guardians: deathsOfGuardians,
  ancestors: ancestorsDie,
  busy: busyDeaths,
  limited: limitedDeaths,
  reuse: reusedPids,
  frozen: frozenGroups,
  foreign: foreignStops,
  soak,
  fuzz: leaseFuzz,
  cost: leaseCost,
};

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean" }, only: { type: "string" }, trials: { type: "string" }, "soak-seconds": { type: "string" } },
});
const usual = flags.quick ? quick : full;
const lengths: Lengths = {
  ...usual,
  trials: Number(flags.trials ?? usual.trials),
  soakSeconds: Number(flags["soak-seconds"] ?? usual.soakSeconds),
};
const names = flags.only?.split(",") ?? Object.keys(parts);

/** Parts that measure how soon something runs again: then our own looks must not come late. */
const timed = new Set(["deaths", "guardians", "busy", "limited"]);

/**
 * Above the busy targets, below the engine (50) and its guardian (51). Not for our children: a herd of busy processes with real-time priority would
 * take the whole machine.
 */
function setRealtime(wanted: boolean): void {
  try {
    execFileSync("chrt", ["--reset-on-fork", "-a", wanted ? "-f" : "-o", "-p", wanted ? "40" : "0", String(process.pid)]);
  } catch {
    if (wanted) console.log("no real-time rights: the times below are our own lateness too");
  }
}

const verdicts = new Verdicts();
for (const name of names) {
  const part = parts[name];
  if (part === undefined) throw new Error(`there is no part "${name}"; there are ${Object.keys(parts).join(", ")}`);
  setRealtime(timed.has(name));
  try {
    await part(lengths, verdicts);
  } catch (error) {
    verdicts.tell(false, `${name}: ${(error as Error).message}`);
  }
}
console.log(`\n${verdicts.passed} passed, ${verdicts.failed} failed`);
process.exitCode = verdicts.failed === 0 ? 0 : 1;
