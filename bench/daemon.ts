/**
 * `npm run bench:daemon [-- PART …] [--minutes N]`: what the daemon costs. Parts: scanning (beside the package ps-list), deciding, running,
 * latency, asking, churning; all by default. `--minutes` is the length of the churning, 2 by default.
 */
import { parseArgs } from "node:util";
import { asking } from "./daemon/asking.js";
import { churning } from "./daemon/churning.js";
import { deciding } from "./daemon/deciding.js";
import { latency } from "./daemon/latency.js";
import { running } from "./daemon/running.js";
import { scanning } from "./daemon/scanning.js";
import type { Figure } from "./report/figures.js";
import { table } from "./report/table.js";

const { values, positionals } = parseArgs({ options: { minutes: { type: "string", default: "2" } }, allowPositionals: true });
const minutes = Number(values.minutes);
const log = (line: string) => process.stderr.write(`${line}\n`);

const parts: Record<string, () => Promise<Figure[]>> = {
  scanning: () => scanning(5000, 9),
  deciding: () => deciding(5000, 7),
  running: () => running(30),
  latency: () => latency(100),
  asking: () => asking(10_000, 9),
  churning: () => churning(minutes, log),
};

const names = positionals.length > 0 ? positionals : Object.keys(parts);
const unknown = names.find((name) => !Object.hasOwn(parts, name));
if (unknown !== undefined || !(minutes > 0)) {
  log(unknown === undefined ? `--minutes must be above 0, not "${values.minutes}"` : `there is no part "${unknown}"`);
  process.exit(2);
}

const figures: Figure[] = [];
for (const name of names) {
  log(name);
  figures.push(...((await parts[name]?.()) ?? []));
}
const verdict = (met: boolean | undefined) => (met === undefined ? "" : met ? "met" : "missed");
const rows = figures.map(({ scenario, what, asked, measured, met }) => [scenario, what, asked, measured, verdict(met)]);
process.stdout.write(`${table(["scenario", "figure", "asked", "measured", ""], rows, 4)}\n`);
process.exitCode = figures.some(({ met }) => met === false) ? 1 : 0;
