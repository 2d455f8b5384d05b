/** What becomes of the targets when the hobbler is killed. */
import { monotonicNs, sleepSeconds } from "../../clock.js";
import type { Entrant } from "../../contestants/entrants.js";
import { killHobbler } from "../../contestants/kill.js";
import { Session } from "../../contestants/session.js";
import { startMessage } from "../../contestants/start-message.js";
import { States } from "../../faults/states.js";
import { Herd } from "../../herd.js";
import { type BenchLab, type BenchScenario, cycle, takeTurns } from "../bench-lab.js";
import { frozenGroups, removeGroups, thawAll } from "../groups.js";

const count = 100;
const patienceMs = 1500;

interface Death {
  left: number;
  resumedNs: number | undefined;
}

/** Kills it with SIGKILL while it hobbles `count` sleeping processes, at a random moment of a period. */
async function kill(lab: BenchLab, one: Entrant): Promise<Death> {
  const targets = Math.min(count, one.most);
  const session = await Session.open(lab.meter.counted(one), undefined);
  const herd = await Herd.start({ count: targets, kind: "idle", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
  const groups = session.hello.groups ?? "";
  const states = new States(herd.pids);
  const stillStopped = () => states.stopped() + (groups === "" ? 0 : frozenGroups(groups));
  try {
    await session.ask(startMessage(one, herd.pids, cycle));
    await sleepSeconds(0.4 + Math.random() * 0.3);
    killHobbler(one, session);
    const killedNs = monotonicNs();
    let left = stillStopped();
    while (left > 0 && monotonicNs() < killedNs + patienceMs * 1e6) {
      await sleepSeconds(0.001);
      left = stillStopped();
    }
    return { left: left / targets, resumedNs: left === 0 ? monotonicNs() - killedNs : undefined };
  } finally {
    states.close();
    if (groups !== "") thawAll(groups);
    await herd.end();
    if (groups !== "") removeGroups(groups);
    await session.close();
  }
}

export const recovery: BenchScenario = {
  name: "recovery",
  about: "what is left stopped when the hobbler gets SIGKILL",
  async run(lab) {
    const among = lab.entrants.filter(({ means, as }) => as === undefined && (means === "signals" || means === "freezing"));
    await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
      lab.log(`recovery: ${one.name}`);
      const { left, resumedNs } = await kill(lab, one);
      lab.found.observations.push({
        scenario: "recovery",
        point: `${count} idle`,
        count,
        contestant: one.id,
        round,
        metrics: {
          leftStopped: { kind: "median", parts: [left] },
          ...(resumedNs !== undefined && { resumedAfter: { kind: "median", parts: [resumedNs] } }),
        },
      });
    });
  },
};
