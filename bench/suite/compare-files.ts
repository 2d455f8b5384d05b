/** `compare`: what changed between two runs. */
import { type Change, compare, lost } from "../report/compare.js";
import { metric } from "../report/metrics.js";
import { table } from "../report/table.js";
import { times } from "../report/units.js";
import { type Results, wrongChecks } from "./results.js";
import { readResults } from "./store.js";

/** Exit status: 0 nothing became worse, 1 something did or a run is unusable. */
export function compareFiles(before: string, after: string): number {
  const [old, fresh] = [readResults(before), readResults(after)];
  for (const [path, results] of [[before, old] as const, [after, fresh] as const]) {
    const reasons = [...results.unusable, ...(wrongChecks(results).length > 0 ? ["its referee failed its own checks"] : [])];
    if (reasons.length > 0) {
      process.stdout.write(`${path} is not to be trusted: ${reasons.join("; ")}. Nothing is compared.\n`);
      return 1;
    }
  }
  const changes = compare(old, fresh);
  process.stdout.write(`${describe(old, fresh, changes)}\n`);
  const gone = lost(old, fresh);
  if (gone.length > 0) process.stdout.write(`\nThere before and not any more:\n${gone.map((line) => `- ${line}`).join("\n")}\n`);
  if (gone.length > 0) return 1;
  return changes.some(({ significant, better }) => significant && better === false) ? 1 : 0;
}

function describe(old: Results, fresh: Results, changes: readonly Change[]): string {
  const significant = changes.filter((change) => change.significant);
  const heading = `hobble ${old.host.hobble} (${old.host.date.slice(0, 16)}) against ${fresh.host.hobble} (${fresh.host.date.slice(0, 16)}): ${changes.length} figures compared, ${significant.length} changed significantly.`;
  const differs = old.host.cpu !== fresh.host.cpu || old.host.kernel !== fresh.host.kernel || old.host.cpus !== fresh.host.cpus;
  const warning = differs ? ["The hosts differ: what follows is about the hosts as much as about hobble."] : [];
  if (significant.length === 0) return [heading, ...warning].join("\n\n");
  const rows = significant
    .sort((a, b) => a.p - b.p)
    .map(({ scenario, point, contestant, metricId, before, after, ratio, low, high, p, better }) => {
      const { title, format } = metric(metricId);
      return [
        `${scenario}, ${point}: ${title}`,
        contestant,
        format(before),
        format(after),
        `${times(ratio)} (${times(low)} … ${times(high)})`,
        p < 0.001 ? "< 0.001" : p.toFixed(3),
        better === undefined ? "" : better ? "better" : "worse",
      ];
    });
  return [heading, ...warning, table(["figure", "contestant", "before", "after", "after / before, host taken off", "p", ""], rows, 2)].join(
    "\n\n",
  );
}
