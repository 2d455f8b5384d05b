import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { metricsText } from "../src/metrics/daemon-metrics.js";
import { FakeSupervisor } from "./helpers/fake-supervisor.js";

const root = fileURLToPath(new URL("..", import.meta.url));

test("docs/openapi.json is what the schemas say", () => {
  execFileSync(process.execPath, [`${root}scripts/openapi.mjs`, "--check"], { stdio: "pipe" });
});

test("the dashboard asks only for metrics that there are", async () => {
  const supervisor = new FakeSupervisor();
  const metrics = metricsText(supervisor);
  await supervisor.close();
  const dashboard = JSON.parse(readFileSync(`${root}packaging/grafana/hobble.json`, "utf8")) as {
    panels: { targets: { expr: string }[] }[];
  };
  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(10);
  for (const query of queries) {
    const names = query.match(/hobble_[a-z_]+/g) ?? [];
    expect(names.length, query).toBeGreaterThan(0);
    for (const name of names) expect(metrics, query).toMatch(new RegExp(`^${name}(\\{| )`, "m"));
  }
});
