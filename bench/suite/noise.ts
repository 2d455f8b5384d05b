/** How quiet the host is by itself, and from when on a run must not be trusted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { sleepSeconds } from "../clock.js";
import { cyclictest } from "../contestants/cyclictest.js";
import { nativeProgram } from "../native-programs.js";
import { hostShares, hostTicks } from "../referee/accounting.js";
import { median, type Summary, summarize } from "../statistics.js";
import type { Gauge } from "./results.js";

const gaugeSeconds = 1;
/** Above every contestant. */
const priority = 80;

/** Half of all readings above this: somebody else uses the host. */
const mostBusy = 0.25;
const mostSteal = 0.05;
const mostP99Ns = 500e3;

/** Share of the CPUs that the hypervisor took while this was done: on a host that is idle itself there is little to be taken. */
export async function stolenDuring(work: () => Promise<void>): Promise<number> {
  const ticks = hostTicks();
  await work();
  return hostShares(ticks, hostTicks()).steal;
}

/** To be taken while nothing of the bench runs. */
export async function gauge(before: string): Promise<Gauge> {
  const ticks = hostTicks();
  const measured = (await cyclictest(priority, gaugeSeconds)) ?? undefined;
  const latency = measured ?? (await ownLatency());
  const { steal, idle } = hostShares(ticks, hostTicks());
  return {
    p50Ns: latency.p50,
    p99Ns: latency.p99,
    maxNs: latency.max,
    by: measured === undefined ? "bystander (ordinary priority)" : "cyclictest",
    steal,
    busy: 1 - idle - steal,
    before,
  };
}

/** For hosts without cyclictest, and for users without real-time rights. */
async function ownLatency(): Promise<Summary> {
  const bystander = spawn(nativeProgram("bystander"), ["latency", "100"], { stdio: ["pipe", "pipe", "inherit"] });
  const output = text(bystander.stdout);
  await sleepSeconds(gaugeSeconds);
  const exit = once(bystander, "exit");
  bystander.stdin.end();
  await exit;
  return summarize((await output).trim().split(/\s+/).map(Number));
}

/** Reasons not to trust a run with these readings. */
export function reasonsAgainst(gauges: readonly Gauge[]): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const [busy, p99] = [(one: Gauge) => one.busy, (one: Gauge) => one.p99Ns].map((of) => median(gauges.map(of)));
  const steal = gauges.map((one) => Math.max(one.steal, one.stealDuring ?? 0)).reduce((a, b) => Math.max(a, b), 0);
  const reasons: string[] = [];
  if (steal > mostSteal) reasons.push(`the hypervisor took ${percent(steal)} of the CPUs once (at most ${percent(mostSteal)})`);
  if ((busy ?? 0) > mostBusy) reasons.push(`something else used ${percent(busy ?? 0)} of the CPUs (at most ${percent(mostBusy)})`);
  if ((p99 ?? 0) > mostP99Ns)
    reasons.push(`an idle real-time thread woke ${((p99 ?? 0) / 1e3).toFixed(0)} µs late, p99 (at most ${mostP99Ns / 1e3} µs)`);
  return reasons;
}
