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

/** Herds of one, so that each can be killed for itself. */
async function busy(count: number): Promise<Herd> {
  const herd = await Herd.start({ count, kind: "busy", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
  herd.go();
  return herd;
}

async function hobbles(lab: BenchLab, one: Entrant, say: Verdicts): Promise<void> {
  const session = await Session.open(lab.meter.counted(one), undefined);
  const groups = session.hello.groups ?? "";
  const tree = one.trees;
  const worker = await Worker.start();
  // Before anybody competes with it.
  const normalMs = await worker.work();
  const family = await Family.start();
  const herds = [await busy(2), await busy(3), await busy(1)] as const;
  const [[spotted = 0, mortal = 0], later, [innocent = 0]] = [herds[0].pids, herds[1].pids, herds[2].pids];
  const ordered = { pids: family.pids, gaps: async () => [] };
  try {
    if (one.means === "signals") lab.signals.begin(ordered, 1000);
    await session.ask(startMessage(one, [spotted, mortal, worker.pid, family.parent], cycle, tree));
    await sleepSeconds(0.3);
    const working = worker.work();

    const [share = 0, , child = 0, free = 0] = await shares([spotted, mortal, family.child, innocent], 1);
    say.judge("one", share < hobbledAtMost * free && share > 0, `it got ${percent(share)} of a CPU, a free process ${percent(free)}`);
    say.judge("others", free > freeAtLeast, `a process that was not listed got ${percent(free)}`);
    if (tree) say.judge("children", child < hobbledAtMost * free, `a child got ${percent(child)}, a free process ${percent(free)}`);
    else say.cannot("children", "it follows no trees");

    process.kill(mortal, "SIGKILL");
    const more: AddMessage = { type: "add", pids: later };
    await session.ask(more);
    await sleepSeconds(0.3);
    const [freely = 0, again = 0, ...added] = await shares([innocent, spotted, ...later], 1);
    const most = Math.max(...added);
    say.judge(
      "several",
      most < hobbledAtMost * freely,
      `three that were added got ${percent(most)} at most, a free process ${percent(freely)}`,
    );
    const dropped = session.alive && again < hobbledAtMost * freely;
    say.judge("dead", dropped, session.alive ? `after one had died another got ${percent(again)}` : "it died with its target");

    const times = (await within(working, 12)) / normalMs;
    say.judge("slow", times >= 10 && times <= 100, `${times.toFixed(1)} times`);
    judgeOrder(one, say, one.means === "signals" ? await lab.signals.end(ordered) : undefined, family);

    await session.close();
    const left = [spotted, ...later, family.child];
    const after = await shares(left, 0.6);
    const still = after.filter((got) => got < 0.005).length;
    say.judge("stop", still === 0, still === 0 ? "all ran" : `${still} of ${left.length} did not run`);
  } finally {
    await session.close();
    if (groups !== "") thawAll(groups);
    worker.end();
    family.end();
    for (const herd of herds) await herd.end();
    if (groups !== "") removeGroups(groups);
  }
}

/** NaN when it takes longer. */
async function within(work: Promise<number>, seconds: number): Promise<number> {
  return Promise.race([work, sleepSeconds(seconds).then(() => Number.NaN)]);
}

/** Parents are stopped before their children and resumed after them: else a shell sees its job stop. */
function judgeOrder(one: Entrant, say: Verdicts, edges: EdgesByPid | undefined, family: Family): void {
  if (edges === undefined || !one.trees) {
    say.cannot("order", one.trees ? "a group is stopped as a whole, and invisibly" : "it follows no trees");
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
  const session = await Session.open(lab.meter.counted(one), undefined);
  const groups = session.hello.groups ?? "";
  const herd = await busy(10);
  try {
    await session.ask(startMessage(one, herd.pids, cycle));
    await sleepSeconds(0.7);
    killHobbler(one, session);
    await sleepSeconds(0.8);
    const got = await shares(herd.pids, 0.6);
    const still = got.filter((share) => share < 0.005).length;
    // Ten of them have more than a CPU to share.
    const hobbledStill = one.means === "quota" && Math.max(...got) < 0.06;
    say.judge(
      "kill",
      still === 0 && !hobbledStill,
      still === 0 ? (hobbledStill ? "the quota stays" : "all ran") : `${still} of ${herd.pids.length} were left stopped`,
    );
  } finally {
    if (groups !== "") thawAll(groups);
    await herd.end();
    if (groups !== "") removeGroups(groups);
    await session.close();
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

const quick = ["hobble", "asyncio", "cpulimit"];

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
