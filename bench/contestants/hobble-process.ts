/** The hobble contestant: a program that embeds the library and does as the bench says. */
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { Hobbler, type TargetTerms } from "hobble";
import { monotonicNs } from "../clock.js";
import { type Summary, summarize } from "../statistics.js";
import type { Message, Started, StartMessage, StatsReply, SumsReply } from "./messages.js";

const timedCalls = 9;

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function termsOf(hobbler: Hobbler, { runMs, stopMs, as }: StartMessage): TargetTerms {
  const limit = runMs / (runMs + stopMs);
  if (as === "limit") return { limit };
  return as === "pool" ? { pool: hobbler.pools.get("bench") ?? hobbler.pool("bench", { limit }) } : { run: runMs, stop: stopMs };
}

async function start(hobbler: Hobbler, message: StartMessage): Promise<Started> {
  const { pids, tree, via = "auto" } = message;
  const terms = termsOf(hobbler, message);
  const before = performance.eventLoopUtilization();
  const firstAddNs = monotonicNs();
  const targets = pids.map((pid) => hobbler.add(tree ? { tree: pid, via } : { pid, via }, terms));
  const addMs = (monotonicNs() - firstAddNs) / 1e6;
  const refused: string[] = [];
  for (const target of targets) await target.ready.catch((error) => refused.push(String(error)));
  return { firstAddNs, addMs, busyMs: performance.eventLoopUtilization(before).active, refused };
}

function stats(hobbler: Hobbler): StatsReply {
  return {
    engine: hobbler.stats(),
    statsMs: timeCalls(() => hobbler.stats()),
    targetStatsMs: timeCalls(() => hobbler.targetStats()),
  };
}

function sums(hobbler: Hobbler): SumsReply {
  const total = { ranNs: 0, stoppedNs: 0 };
  for (const { ranNs, stoppedNs } of hobbler.targetStats()) {
    total.ranNs += ranNs;
    total.stoppedNs += stoppedNs;
  }
  return total;
}

function timeCalls(call: () => void): Summary {
  const times = Array.from({ length: timedCalls }, () => {
    const begin = performance.now();
    call();
    return performance.now() - begin;
  });
  return summarize(times);
}

let hobbler: Hobbler | undefined;
let first: StartMessage | undefined;
say({ type: "hello" });
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Message;
  if (message.type === "stop") break;
  if (message.type === "start") {
    first = message;
    hobbler = new Hobbler(message.options ?? {});
    say(await start(hobbler, message));
  } else if (message.type === "add" && hobbler !== undefined && first !== undefined) {
    say(await start(hobbler, { ...first, pids: message.pids }));
  } else if (hobbler !== undefined) {
    say(message.type === "sums" ? sums(hobbler) : message.type === "engine" ? hobbler.stats() : stats(hobbler));
  }
}
await hobbler?.close();
