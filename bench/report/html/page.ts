/** The report as one page that needs nothing else: no script, no font, no picture from elsewhere. */
import type { Results } from "../../suite/results.js";
import { metric } from "../metrics.js";
import { sections } from "../sections.js";
import { Summary } from "../summary.js";
import { checksSection, entriesSection, hostLine, lossesSection, noiseSection, refereeSection, tiles, verdict } from "./parts.js";
import { comparisonPlots } from "./plots.js";
import { style } from "./style.js";
import { escaped } from "./svg.js";
import { costSection, windowsSection } from "./windows-section.js";

export function page(results: Results): string {
  const summary = new Summary(results);
  const told = sections
    .filter(({ scenario }) => summary.scenarios().includes(scenario))
    .map(({ scenario, title, lede, drawn }) => {
      const plots = drawn.map((metricId) => comparisonPlots(summary, scenario, metricId, metric(metricId))).join("");
      return plots === "" ? "" : `<section><h2>${escaped(title)}</h2><p class="lede">${escaped(lede)}</p>${plots}</section>`;
    });
  const body = [
    `<header><h1>Who hobbles best?</h1><p class="host">${escaped(hostLine(results))}</p>${verdict(results)}${tiles(summary)}</header>`,
    lossesSection(summary),
    windowsSection(summary),
    costSection(summary),
    ...told,
    checksSection(summary),
    refereeSection(summary),
    noiseSection(results),
    entriesSection(results),
    `<footer>Made by <code>hobble bench</code> ${escaped(results.host.hobble)}. Intervals are 95 %, by a bootstrap over rounds and slices of time; contestants took turns. Bars behind the dots are those intervals.</footer>`,
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>hobble bench, ${escaped(results.host.date.slice(0, 10))}</title><style>${style}</style></head>
<body><main>
${body.filter((part) => part !== "").join("\n")}
</main></body></html>
`;
}
