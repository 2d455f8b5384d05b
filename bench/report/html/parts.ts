/** The parts of the page that are words and tables. */
import { type Results, wrongChecks } from "../../suite/results.js";
import { metric } from "../metrics.js";
import { losses, type Summary } from "../summary.js";
import { percent, time, times } from "../units.js";
import { withInterval } from "./plots.js";
import { escaped } from "./svg.js";

export function hostLine({ host, mode, seconds, referee }: Results): string {
  return `${host.date.slice(0, 16).replace("T", " ")} · ${host.cpus} × ${host.cpu} · Linux ${host.kernel} · Node ${host.node} · hobble ${host.hobble} · ${mode} run, ${Math.round(seconds / 60) || 1} min · referee: ${referee}`;
}

export function verdict(results: Results): string {
  const { unusable, selfChecks } = results;
  const wrong = wrongChecks(results);
  if (wrong.length > 0) return `<p class="verdict no"><b>The referee failed its own check.</b> Nothing here may be believed.</p>`;
  if (unusable.length > 0) return `<p class="verdict no"><b>Not to be trusted:</b> ${escaped(unusable.join("; "))}.</p>`;
  const checked = selfChecks.filter(({ judged }) => judged).length;
  return `<p class="verdict">The host was quiet enough${checked > 0 ? `, and the referee found all ${checked} injected errors within 5 µs or 1 %` : ""}.</p>`;
}

export function tiles(summary: Summary): string {
  const points = summary.points("windows", "runErrorP99");
  const busiest = points
    .filter((point) => point.endsWith("busy"))
    .sort((a, b) => summary.countAt("windows", b) - summary.countAt("windows", a))[0];
  const made: string[] = [];
  const tile = (value: string, words: string) => made.push(`<div class="tile"><b>${value}</b><span>${escaped(words)}</span></div>`);
  if (busiest !== undefined) {
    const own = summary.estimate("windows", busiest, "hobble", "runErrorP99");
    if (own !== undefined) tile(time(own.value), `p99 of hobble's run-window error, ${busiest} targets`);
    const ratio = summary.ratio("windows", busiest, "asyncio", "hobble", "runErrorP99");
    if (ratio !== undefined) tile(times(ratio.value), `as far off: the plain asyncio loop, same targets`);
  }
  for (const [scenario, point, metricId, words] of [
    ["windows", "1,000 idle", "cpu", "of a CPU for 1,000 sleeping targets"],
    ["windows", "200 idle", "cpu", "of a CPU for 200 sleeping targets"],
    ["benefit", undefined, "benefit", "CPU given back for each CPU taken"],
  ] as const) {
    const at = point ?? summary.points(scenario, metricId)[0] ?? "";
    const own = summary.estimate(scenario, at, "hobble", metricId);
    if (own !== undefined && made.length < 4) tile(metric(metricId).format(own.value), words);
  }
  return made.length === 0 ? "" : `<div class="tiles">${made.join("")}</div>`;
}

export function lossesSection(summary: Summary): string {
  const found = losses(summary);
  const intro = `<section><h2>Where hobble is not the best choice</h2>`;
  if (found.length === 0)
    return `${intro}<p class="lede">At no point was another contestant better beyond doubt in what was measured here.</p></section>`;
  const rows = found.map(({ scenario, point, metricId, ours, others }) => {
    const { title, format } = metric(metricId);
    const where = scenario === "windows" ? point : `${scenario}, ${point}`;
    const who = others
      .map(({ who: id, theirs, ratio }) => `${escaped(summary.name(id))} ${format(theirs.value)} (${factor(ratio.value)})`)
      .join(" · ");
    return `<tr><td class="text">${escaped(title)}<small>${escaped(where)}</small></td><td>${withInterval(ours, format)}</td><td class="text">${who}</td></tr>`;
  });
  return `${intro}<p class="lede">Every figure in which another contestant beat hobble (default options) by more than a twentieth, with the whole 95 % interval of the ratio on its side. A loop that is late does less work, so a low cost beside a large error is no bargain: look at both.</p><div class="scroll"><table class="stack"><tr><th></th><th>hobble</th><th style="text-align:left">better</th></tr>${rows.join("")}</table></div></section>`;
}

function factor(ratio: number): string {
  return Number.isFinite(ratio) ? times(ratio) : "free";
}

export function checksSection(summary: Summary): string {
  const { checks } = summary.results;
  if (checks.length === 0) return "";
  const names = [...new Set(checks.map(({ check }) => check))];
  const who = [...new Set(checks.map(({ contestant }) => contestant))];
  const words = { pass: "✓", fail: "✗", cannot: "–" } as const;
  const rows = who.map((contestant) => {
    const cells = names.map((name) => {
      const found = checks.find((one) => one.contestant === contestant && one.check === name);
      return found === undefined ? "<td></td>" : `<td class="${found.outcome}" title="${escaped(found.why)}">${words[found.outcome]}</td>`;
    });
    return `<tr><td>${escaped(summary.name(contestant))}</td>${cells.join("")}</tr>`;
  });
  const reasons = checks
    .filter(({ outcome }) => outcome !== "pass")
    .map(
      ({ contestant, check, outcome, why }) =>
        `<li>${escaped(summary.name(contestant))}, ${escaped(check)}: ${outcome === "fail" ? "failed" : "cannot"}; ${escaped(why)}</li>`,
    );
  return `<section><h2>Does it work at all?</h2><p class="lede">One functional suite for all contestants. ✓ passed, ✗ failed, – not a thing that it can do.</p><div class="scroll"><table class="matrix"><tr><th></th>${names.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr>${rows.join("")}</table></div>${reasons.length > 0 ? `<details><summary>why</summary><ul class="note">${reasons.join("")}</ul></details>` : ""}</section>`;
}

export function refereeSection(summary: Summary): string {
  const { selfChecks } = summary.results;
  if (selfChecks.length === 0) return "";
  const rows = selfChecks.map(
    ({ referee, injectedNs, foundNs, windows, worstNs, judged, right }) =>
      `<tr><td>${escaped(referee)}</td><td>${time(injectedNs)}</td><td>${time(foundNs)}</td><td>${time(Math.abs(foundNs - injectedNs))}</td><td>${time(worstNs)}</td><td>${windows}</td><td class="${right ? "pass" : judged ? "fail" : "cannot"}">${right ? "✓" : judged ? "✗" : "bound"}</td></tr>`,
  );
  const [watched, unwatched] = ["bare loop, watched", "bare loop, unwatched"];
  const at = summary.points("referee")[0] ?? "";
  const cost = [watched, unwatched].map((who) => summary.estimate("referee", at, who, "perSignal"));
  const ratio = summary.ratio("referee", at, watched, unwatched, "perSignal");
  const disturbance =
    cost[0] && cost[1] && ratio
      ? `<p class="note">Being watched costs the sender of a signal: ${time(cost[0].value)} against ${time(cost[1].value)} unwatched, ${times(ratio.value)} (${times(ratio.low)} … ${times(ratio.high)}); every contestant alike.</p>`
      : "";
  return `<section><h2>Is the referee right?</h2><p class="lede">A synthetic contestant makes windows whose errors are known. The referee has to find them within 5 µs or 1 %; the one for hosts without tracing sees only when a target ran again, so its errors are bounds. “Worst” is the largest difference of a single window from the synthetic contestant’s own clock: what the host does between that clock and the signal is in it.</p>${disturbance}<details><summary>all injected errors</summary><div class="scroll"><table><tr><th>referee</th><th>injected</th><th>found, median</th><th>off</th><th>worst</th><th>windows</th><th>right</th></tr>${rows.join("")}</table></div></details></section>`;
}

export function noiseSection({ gauges, notes }: Results): string {
  const rows = gauges.map(
    ({ before, by, p50Ns, p99Ns, maxNs, steal, stealDuring, busy }) =>
      `<tr><td>${escaped(before)}</td><td>${time(p50Ns)}</td><td>${time(p99Ns)}</td><td>${time(maxNs)}</td><td>${percent(steal)}</td><td>${stealDuring === undefined ? "–" : percent(stealDuring)}</td><td>${percent(busy)}</td><td>${escaped(by)}</td></tr>`,
  );
  const said = notes.length > 0 ? `<h3>Notes</h3><ul class="note">${notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>` : "";
  return `<section><h2>How quiet was the host?</h2><p class="lede">Before each scenario, while nothing of the bench ran: how late a real-time thread wakes that does nothing else, what the hypervisor took (and while the scenario ran), what others used.</p><div class="scroll"><table><tr><th>before</th><th>p50</th><th>p99</th><th>max</th><th>steal</th><th>steal in it</th><th>busy</th><th>by</th></tr>${rows.join("")}</table></div>${said}</section>`;
}

export function entriesSection({ entries }: Results): string {
  const rows = entries.map(
    ({ name, about, missing }) =>
      `<tr><td>${escaped(name)}</td><td class="text">${escaped(about)}</td><td class="text">${missing === undefined ? "yes" : `no: ${escaped(missing)}`}</td></tr>`,
  );
  return `<section><h2>Who took part</h2><div class="scroll"><table class="stack"><tr><th></th><th></th><th></th></tr>${rows.join("")}</table></div></section>`;
}
