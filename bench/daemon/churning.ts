/** Whether the daemon's memory stays as it is while processes that match come and go. */
import { setTimeout as sleep } from "node:timers/promises";
import { Lines } from "../faults/lines.js";
import { nativeProgram } from "../native-programs.js";
import { cpuTimeNs, residentBytes } from "../referee/accounting.js";
import { atMost, type Figure } from "../report/figures.js";
import { median } from "../statistics.js";
import { Service } from "./service.js";

const targets = 1000;
const turnsPerSecond = 10;
const newEachTurn = 5;

const rules = () => `
[[rule]]
name = "churned"
match = { name = "churned" }
hobble = { limit = "5%" }
`;

export async function churning(minutes: number, log: (line: string) => void): Promise<Figure[]> {
  const herd = new Lines([nativeProgram("churn"), String(targets)]);
  await herd.next();
  const service = await Service.start({ rules });
  try {
    await service.hobbles(targets);
    const samples: number[] = [];
    const began = performance.now();
    const cpuBefore = cpuTimeNs(service.pid);
    const deadline = began + minutes * 60_000;
    let told = began;
    for (let next = began; next < deadline; next += 1000 / turnsPerSecond) {
      await sleep(Math.max(0, next - performance.now()));
      await herd.ask(`turn ${newEachTurn}`);
      samples.push(residentBytes(service.pid) / 1e6);
      if (performance.now() - told > 60_000) {
        told = performance.now();
        log(`churn: ${((told - began) / 60_000).toFixed(0)} min, ${samples.at(-1)?.toFixed(1)} MB`);
      }
    }
    const cpu = (cpuTimeNs(service.pid) - cpuBefore) / 1e6 / (performance.now() - began);
    // The garbage collector saws: medians of a tenth of the time. The first tenth is for the journal and the heap to fill.
    const tenth = Math.floor(samples.length / 10);
    const early = median(samples.slice(tenth, 2 * tenth));
    const late = median(samples.slice(-tenth));
    const scenario = `${targets} targets, ${turnsPerSecond * newEachTurn} a second come and go, ${minutes} min`;
    const megabytes = (value: number) => `${value.toFixed(1)} MB`;
    return [
      atMost(scenario, "memory, most", Math.max(...samples), 120, megabytes),
      atMost(scenario, `memory, last tenth (second tenth: ${megabytes(early)})`, late, early * 1.05, megabytes),
      { scenario, what: "CPU, all told", asked: "", measured: `${(cpu * 100).toFixed(2)} %`, met: undefined },
    ];
  } finally {
    await service.end();
    await herd.end();
  }
}
