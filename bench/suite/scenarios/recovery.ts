/** What becomes of the targets when the hobbler is killed. */
import { monotonicNs, sleepSeconds } from "../../clock.js";
import { type Entrant, inUsualPrecision } from "../../contestants/entrants.js";
import { killHobbler } from "../../contestants/kill.js";
import { Session } from "../../contestants/session.js";
import { startMessage } from "../../contestants/start-message.js";
import { States } from "../../faults/states.js";
import { Herd } from "../../herd.js";
import { type BenchLab, type BenchScenario, cycle, takeTurns } from "../bench-lab.js";
import { groupsOfAll, isFrozen, thawAll } from "../groups.js";

/** Busy ones, as a program that watches what they use stops no others; as many as one program for each takes. */
const count = 20;
const patienceMs = 1500;

interface Death {
  left: number;
  resumedNs: number | undefined;
}

/** Kills it with SIGKILL while it hobbles, at a random moment of a period. */
async function kill(lab: BenchLab, one: Entrant): Promise<Death> {
  await using session = await Session.open(lab.meter.counted(one), undefined);
  const groups = session.hello.groups ?? "";
  await using herd = await Herd.start({ count, kind: "busy", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
  const states = new States(herd.pids);
  try {
    await session.ask(startMessage(one, herd.pids, cycle));
    herd.go();
    await sleepSeconds(0.6 + Math.random() * 0.3);
    // While it still knows them: hobble's groups are told by where its targets are.
    const frozen = one.means === "freezing" ? groupsOfAll(herd.pids) : [];
    const stillStopped = () => states.stopped() + frozen.filter(isFrozen).length;
    // Whoever hobbles nobody leaves nobody stopped.
    const lookedAtNs = monotonicNs();
    while (stillStopped() === 0) {
      if (monotonicNs() > lookedAtNs + patienceMs * 1e6) throw new Error("it was to be killed while it hobbles, and stops nobody");
      await sleepSeconds(0.001);
    }
    killHobbler(one, session);
    const killedNs = monotonicNs();
    let left = stillStopped();
    while (left > 0 && monotonicNs() < killedNs + patienceMs * 1e6) {
      await sleepSeconds(0.001);
      left = stillStopped();
    }
    return { left: left / count, resumedNs: left === 0 ? monotonicNs() - killedNs : undefined };
  } finally {
    states.close();
    thawAll(groups);
  }
}

/** A loop leaves the same behind in every language: a quick look asks one of them. */
const inQuick = ["hobble", "hobble-freeze", "asyncio"];
const takesPart = ({ effort }: BenchLab, { id }: Entrant) => effort.name !== "quick" || inQuick.includes(id);

export const recovery: BenchScenario = {
  name: "recovery",
  about: "what is left stopped when the hobbler gets SIGKILL",
  async run(lab) {
    const found = lab.found.observations.length;
    const among = lab.entrants.filter(
      (one) =>
        (one.as === undefined || one.programEach === true) &&
        (one.means === "signals" || one.means === "freezing") &&
        inUsualPrecision(one) &&
        takesPart(lab, one),
    );
    await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
      lab.log(`recovery: ${one.name}`);
      const { left, resumedNs } = await kill(lab, one);
      lab.found.observations.push({
        scenario: "recovery",
        point: `${count} busy`,
        count,
        contestant: one.id,
        round,
        metrics: {
          leftStopped: { kind: "median", parts: [left] },
          ...(resumedNs !== undefined && { resumedAfter: { kind: "median", parts: [resumedNs] } }),
        },
      });
    });
    // Of one that once left somebody stopped the other time was luck: killed in a run window.
    const own = lab.found.observations.slice(found);
    const leaving = new Set(own.filter(({ metrics }) => metrics.resumedAfter === undefined).map(({ contestant }) => contestant));
    for (const { contestant, metrics } of own) if (leaving.has(contestant)) delete metrics.resumedAfter;
  },
};
