/** What the daemon takes while nothing much happens: limits on processes that sleep. */
import { setTimeout as sleep } from "node:timers/promises";
import { Herd } from "../herd.js";
import { cpuTimeNs, residentBytes } from "../referee/accounting.js";
import { atMost, type Figure } from "../report/figures.js";
import { Service } from "./service.js";

const targets = 1000;
const processes = 2000;

const rules = (folder: string) => `
[[rule]]
name = "listed"
match = { pidFile = "${folder}/pids" }
hobble = { limit = "5%" }
[[rule]]
name = "runaways"
match = { user = "student*", cpuAbove = "80%", for = "30s" }
hobble = { limit = "5%" }
`;

export async function running(seconds: number): Promise<Figure[]> {
  const herd = await Herd.start({ count: processes, kind: "idle", lifetimeSeconds: seconds + 120, shortestGapMs: 1, userId: undefined });
  const service = await Service.start({ rules }, { pids: herd.pids.slice(0, targets).join("\n") });
  try {
    await service.hobbles(targets);
    await sleep(4000);
    const before = cpuTimeNs(service.pid);
    const began = performance.now();
    await sleep(seconds * 1000);
    const cpu = (cpuTimeNs(service.pid) - before) / 1e6 / (performance.now() - began);
    const { engine, scan } = await service.client.stats();
    const scenario = `${targets} limited targets, ${processes} processes, scan 2 s`;
    const part = (ns: number) => `${((100 * ns) / engine.elapsedNs).toFixed(2)} %`;
    const threads = `timer thread ${part(engine.cpuNs)}, helper thread ${part(engine.scoutCpuNs)}`;
    const scans = `a scan ${(scan.scanCpuNs / 1e6).toFixed(1)} ms, a decision ${(scan.decideCpuNs / 1e6).toFixed(1)} ms`;
    return [
      atMost(scenario, `CPU, all told (${threads}; ${scans})`, cpu, 0.04, (share) => `${(share * 100).toFixed(2)} %`),
      atMost(scenario, "memory", residentBytes(service.pid), 120e6, (bytes) => `${(bytes / 1e6).toFixed(0)} MB`),
    ];
  } finally {
    await service.end();
    await herd.end();
  }
}
