/**
 * One functional suite for everybody, after the experiment that started it all: tests that hold for any way to hobble. Most are told by the CPU
 * time that a process got, which no way of hobbling can hide.
 */
import { sleepSeconds } from "../clock.js";
import { type Entrant, inUsualPrecision } from "../contestants/entrants.js";
import { killHobbler } from "../contestants/kill.js";
import type { AddMessage } from "../contestants/messages.js";
import { Session } from "../contestants/session.js";
import { startMessage } from "../contestants/start-message.js";
import { Herd } from "../herd.js";
import type { EdgesByPid } from "../referee/edges.js";
import { evaluateAll } from "../statistics/measurement.js";
import { type BenchLab, type BenchScenario, cycle, takeTurns } from "./bench-lab.js";
import { Family, Worker } from "./functional-processes.js";
import { removeGroups, thawAll } from "./groups.js";
import type { CheckResult } from "./results.js";
import { targetsCpuNs } from "./targets-cpu.js";
import { trial } from "./trial.js";

export const checkNames = {
  slow: "takes 10 to 100 times as long",
  one: "spots one process",
  several: "spots several, added later",
  others: "leaves others alone",
  dead: "drops the dead",
  children: "hobbles children",
  order: "in order",
  cheap: "200 below 10 % of a CPU",
  stop: "nothing stopped after a stop",
  kill: "nothing stopped after SIGKILL",
} as const;

type Check = keyof typeof checkNames;

/** A hobbled process gets 3.85 % of a CPU, a free one beside it a fair share: on a busy host that may be little, but always many times as much. */
const hobbledAtMost = 1 / 3;
/** Of one CPU: what is left for a free process on two CPUs with a dozen others. */
const freeAtLeast = 0.1;
const allowedCpu = 0.1;

class Verdicts {
  readonly results: CheckResult[] = [];
  readonly #contestant: string;

  constructor(contestant: string) {
    this.#contestant = contestant;
  }

  judge(check: Check, passed: boolean, why: string): void {
    this.results.push({ contestant: this.#contestant, check: checkNames[check], outcome: passed ? "pass" : "fail", why });
  }

  cannot(check: Check, why: string): void {
    this.results.push({ contestant: this.#contestant, check: checkNames[check], outcome: "cannot", why });
  }
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

/** Share of one CPU that each process gets in the coming time. */
async function shares(pids: readonly number[], seconds: number): Promise<number[]> {
  const before = pids.map((pid) => targetsCpuNs([pid]));
  await sleepSeconds(seconds);
  return pids.map((pid, index) => (targetsCpuNs([pid]) - (before[index] ?? 0)) / (seconds * 1e9));
}

async function busy(count: number): Promise<Herd> {
  const herd = await Herd.start({ count, kind: "busy", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
  herd.go();
  return herd;
}

async function hobbles(lab: BenchLab, one: Entrant, say: Verdicts): Promise<void> {
  await using session = await Session.open(lab.meter.counted(one), undefined);
  const groups = session.hello.groups ?? "";
  const tree = one.trees;
  using worker = await Worker.start();
  // Before anybody competes with it.
  const normalMs = await twice(worker);
  using family = await Family.start();
  await using two = await busy(2);
  await using three = await busy(3);
  await using free = await busy(1);
  const [[spotted = 0, mortal = 0], later, [innocent = 0]] = [two.pids, three.pids, free.pids];
  const ordered = { pids: family.pids, gaps: async () => [] };
  try {
    const seen = one.means === "signals" && lab.signals.herdKind("idle") !== undefined;
    if (seen) lab.signals.begin(ordered, 1000);
    await session.ask(startMessage(one, [spotted, mortal, worker.pid, family.parent], cycle, tree));
    await sleepSeconds(0.3);
    const working = twice(worker);

    const [share = 0, , child = 0, freely = 0] = await shares([spotted, mortal, family.child, innocent], 1);
    say.judge("one", share < hobbledAtMost * freely && share > 0, `it got ${percent(share)} of a CPU, a free process ${percent(freely)}`);
    say.judge("others", freely > freeAtLeast, `a process that was not listed got ${percent(freely)}`);
    if (tree)
      say.judge(
        "children",
        child > 0 && child < hobbledAtMost * freely,
        `a child got ${percent(child)}, a free process ${percent(freely)}`,
      );
    else say.cannot("children", "it follows no trees");

    process.kill(mortal, "SIGKILL");
    const more: AddMessage = { type: "add", pids: later };
    await session.ask(more);
    await sleepSeconds(0.3);
    const [meanwhile = 0, again = 0, ...added] = await shares([innocent, spotted, ...later], 1);
    const most = Math.max(...added);
    say.judge(
      "several",
      most < hobbledAtMost * meanwhile && added.every((got) => got > 0),
      `three that were added got ${percent(most)} at most, a free process ${percent(meanwhile)}`,
    );
    const dropped = session.alive && again > 0 && again < hobbledAtMost * meanwhile;
    say.judge("dead", dropped, session.alive ? `after one had died another got ${percent(again)}` : "it died with its target");

    const times = (await within(working, 12)) / normalMs;
    say.judge("slow", times >= 10 && times <= 100, `${times.toFixed(1)} times`);
    if (seen) judgeOrder(one, say, await lab.signals.end(ordered), family);
    else say.cannot("order", one.means === "signals" ? "nobody sees its signals here" : "a group is stopped as a whole, and invisibly");

    const byItself = await session.close();
    const left = [spotted, ...later, family.child];
    const [unhobbled = 0, ...after] = await shares([innocent, ...left], 0.6);
    const still = after.filter((got) => got < hobbledAtMost * unhobbled).length;
    const ran = still === 0 ? "all ran freely" : `${still} of ${left.length} did not run freely`;
    say.judge("stop", byItself && still === 0, byItself ? ran : `it did not end by itself within 3 s; ${ran}`);
  } finally {
    thawAll(groups);
  }
}

/** A limit lets one that was idle spend ahead, and takes that back from what it does next. */
async function twice(worker: Worker): Promise<number> {
  return (await worker.work()) + (await worker.work());
}

/** NaN when it takes longer. */
async function within(work: Promise<number>, seconds: number): Promise<number> {
  return Promise.race([work, sleepSeconds(seconds).then(() => Number.NaN)]);
}

/** Parents are stopped before their children and resumed after them: else a shell sees its job stop. */
function judgeOrder(one: Entrant, say: Verdicts, edges: EdgesByPid, family: Family): void {
  if (!one.trees) {
    say.cannot("order", "it follows no trees");
    return;
  }
  const [parent, child] = [edges.get(family.parent), edges.get(family.child)];
  if (parent === undefined || child === undefined || child.timesNs.length < 4) {
    say.judge("order", false, "the child got no signals");
    return;
  }
  const first = child.timesNs[0] ?? 0;
  let wrong = 0;
  let pairs = 0;
  child.timesNs.forEach((time, index) => {
    const stop = child.stops[index] ?? false;
    // The parent's signal of the same kind that is nearest: before it for a stop, after it for a resumption.
    const same = parent.timesNs.filter((_, at) => parent.stops[at] === stop);
    const nearest = same.reduce((best, one) => (Math.abs(one - time) < Math.abs(best - time) ? one : best), Number.POSITIVE_INFINITY);
    if (time <= first || !Number.isFinite(nearest)) return;
    pairs++;
    if (stop ? nearest > time : nearest < time) wrong++;
  });
  say.judge("order", pairs > 0 && wrong === 0, `${wrong} of ${pairs} signals in the wrong order`);
}

async function isCheap(lab: BenchLab, one: Entrant, say: Verdicts): Promise<void> {
  const count = 200;
  if (one.most < count) return say.cannot("cheap", `a program for each process: tried with ${one.most} at most`);
  const { metrics } = await trial(lab, one, { count, load: "idle", cycle, seconds: 1.5 });
  const cpu = metrics.cpu === undefined ? Number.NaN : evaluateAll(metrics.cpu);
  say.judge("cheap", cpu < allowedCpu, `${percent(cpu)} of a CPU`);
}

async function survivesKill(lab: BenchLab, one: Entrant, say: Verdicts): Promise<void> {
  await using session = await Session.open(lab.meter.counted(one), undefined);
  const groups = session.hello.groups ?? "";
  await using herd = await busy(10);
  await using free = await busy(1);
  try {
    await session.ask(startMessage(one, herd.pids, cycle));
    await sleepSeconds(0.4);
    const [unhobbled = 0, ...hobbled] = await shares([...free.pids, ...herd.pids], 0.5);
    if (hobbled.every((got) => got >= hobbledAtMost * unhobbled)) return say.judge("kill", false, "it hobbled nobody before it was killed");
    killHobbler(one, session);
    await sleepSeconds(0.8);
    const [freely = 0, ...got] = await shares([...free.pids, ...herd.pids], 0.6);
    const stopped = got.filter((share) => share < 0.005).length;
    const slow = got.filter((share) => share < hobbledAtMost * freely).length;
    const why =
      stopped > 0 ? `${stopped} of ${got.length} were left stopped` : slow > 0 ? `${slow} of ${got.length} are hobbled still` : "all ran";
    say.judge("kill", slow === 0, why);
  } finally {
    thawAll(groups);
    removeGroups(groups);
  }
}

/** All checks of one contestant, in the order of their names. */
export async function tryOut(lab: BenchLab, one: Entrant): Promise<CheckResult[]> {
  const say = new Verdicts(one.id);
  await hobbles(lab, one, say);
  await isCheap(lab, one, say);
  await survivesKill(lab, one, say);
  const order: string[] = Object.values(checkNames);
  return say.results.sort((a, b) => order.indexOf(a.check) - order.indexOf(b.check));
}

/** A contestant takes ten seconds. */
const quick = ["hobble"];

export const functional: BenchScenario = {
  name: "functional",
  about: "one functional suite for all contestants",
  async run(lab) {
    const among = lab.entrants.filter(
      (one) =>
        one.means !== "nothing" && one.as !== "pool" && inUsualPrecision(one) && (lab.effort.name === "full" || quick.includes(one.id)),
    );
    await takeTurns(lab, 1, among, async (one) => {
      lab.log(`functional: ${one.name}`);
      lab.found.checks.push(...(await tryOut(lab, one)));
    });
  },
};
