/** How exact the windows are and what they cost: everybody, idle and busy, from few targets to many. */
import { type Entrant, inUsualPrecision } from "../../contestants/entrants.js";
import { Herd } from "../../herd.js";
import { type BenchLab, type BenchScenario, cycle, type Effort, takeTurns } from "../bench-lab.js";
import { seesFreezing, type TrialPlan, timeline, trial } from "../trial.js";

interface Point extends Omit<TrialPlan, "cycle" | "seconds" | "meanwhile"> {
  name: string;
  /** Who takes part, beyond what the number of targets rules out. */
  among?: (one: Entrant) => boolean;
}

/** One loop of each sort where they are much alike: with few targets, and with so many that they take long to add. */
const ofEachSort = [
  "hobble",
  "hobble-limit",
  "hobble-freeze",
  "asyncio",
  "batched",
  "cpulimit",
  "shell",
  "freezer-v2",
  "quota-v1",
  "quota-v2",
];
const mostIdle = ["hobble", "hobble-economy", "hobble-limit", "asyncio", "batched"];
const withThreads = ["hobble", "asyncio", "threads", "freezer-v2", "quota-v1", "quota-v2"];
/** They take longer to make than to measure. */
const shared = 1000;
/** Until everybody has come round to all of them: what that takes is for the scenario startup to tell. */
const secondsToAddMany = 3;
/** Sleeping targets tell the precisions apart by what they cost, and that takes as many as these. */
const enoughToTell = 100;
/** A limit is not a cycle: it takes part where cost alone is asked for. */
const takesPart = (one: Entrant, { load }: Point) =>
  one.means !== "nothing" && one.as !== "pool" && (load === "idle" || one.as === undefined);

function points(effort: Effort): Point[] {
  const label = (count: number) => count.toLocaleString("en");
  const precise = (one: Entrant) => ofEachSort.includes(one.id) || !inUsualPrecision(one);
  const idle = effort.idle.map(
    (count): Point => ({
      name: `${label(count)} idle`,
      count,
      load: "idle",
      ...(count < enoughToTell && { among: ({ id }) => ofEachSort.includes(id) }),
    }),
  );
  const busy = effort.busy.map(
    (count): Point => ({ name: `${label(count)} busy`, count, load: "busy", ...(count < enoughToTell && { among: precise }) }),
  );
  if (effort.name !== "full") return [...idle, ...busy];
  return [
    ...idle,
    { name: "10,000 idle", count: 10_000, load: "idle", among: ({ id }) => mostIdle.includes(id), warmupSeconds: secondsToAddMany },
    ...busy,
    { name: "20 of 8 threads", count: 20, load: "threads", among: ({ id }) => withThreads.includes(id) },
    {
      name: "10 forking",
      count: 10,
      load: "forking",
      tree: true,
      among: (one) => one.trees && one.means === "signals" && inUsualPrecision(one),
    },
  ];
}

export function pointNames(effort: Effort): string[] {
  return points(effort).map(({ name }) => name);
}

export const windows: BenchScenario = {
  name: "windows",
  about: "window errors and cost: 1 to 10,000 targets, idle, busy, of many threads, forking",
  async run(lab) {
    for (const point of points(lab.effort).filter(({ name }) => lab.effort.points?.includes(name) ?? true)) {
      const among = lab.entrants.filter(
        (one) => takesPart(one, point) && point.count <= one.most && visible(lab, one, point) && (point.among?.(one) ?? true),
      );
      const { count, load } = point;
      await using herd = load === "idle" && count >= shared ? await startShared(count) : undefined;
      await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
        lab.log(`windows: ${point.name}: ${one.name}`);
        const done = await trial(lab, one, { ...point, cycle, seconds: lab.effort.seconds, ...(herd && { herd }) });
        lab.found.observations.push({ scenario: "windows", point: point.name, count, contestant: one.id, round, metrics: done.metrics });
        const drawn = round === 0 && load === "busy" ? timeline(one, point.name, done) : undefined;
        if (drawn !== undefined) lab.found.timelines.push(drawn);
      });
    }
  },
};

function startShared(count: number): Promise<Herd> {
  return Herd.start({ count, kind: "idle", lifetimeSeconds: 900, shortestGapMs: 1, userId: undefined });
}

/** Quotas are seen by busy targets only; sleeping ones would show their cost, which is the kernel's. */
function visible(lab: BenchLab, one: Entrant, { load }: Point): boolean {
  const byKernel = one.means === "signals" || (seesFreezing(one) && lab.freezes !== undefined);
  return byKernel ? lab.signals.herdKind(load) !== undefined || load === "idle" : load === "busy";
}
