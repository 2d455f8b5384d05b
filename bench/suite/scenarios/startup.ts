/** From nothing to hobbling: how long it takes, and the memory that it takes. */
import { monotonicNs, sleepSeconds } from "../../clock.js";
import { inUsualPrecision } from "../../contestants/entrants.js";
import { Session } from "../../contestants/session.js";
import { startMessage } from "../../contestants/start-message.js";
import { Herd } from "../../herd.js";
import { treeBytes } from "../../referee/process-tree.js";
import { type BenchScenario, cycle, takeTurns } from "../bench-lab.js";

const count = 1000;

export const startup: BenchScenario = {
  name: "startup",
  about: "time to the first SIGSTOP, time to add 1,000 targets, memory",
  async run(lab) {
    if (lab.signals.herdKind("idle") === undefined) {
      lab.found.notes.push("startup: left out, as nobody sees the signals to sleeping processes here");
      return;
    }
    const among = lab.entrants.filter(
      (one) => one.as === undefined && one.means === "signals" && one.most >= count && inUsualPrecision(one),
    );
    await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
      lab.log(`startup: ${one.name}`);
      await using herd = await Herd.start({ count, kind: "idle", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
      lab.signals.begin(herd, count * 40);
      const beganNs = monotonicNs();
      await using session = await Session.open(one, undefined);
      const orderedNs = monotonicNs();
      await session.ask(startMessage(one, herd.pids, cycle));
      await sleepSeconds(1);
      const bytes = treeBytes(session.pid);
      const firsts = [...(await lab.signals.end(herd)).values()].map(({ timesNs, stops }) => timesNs[stops.indexOf(true)] ?? Number.NaN);
      const never = firsts.filter(Number.isNaN).length;
      if (never > 0) throw new Error(`${never} of ${count} targets got no SIGSTOP within a second`);
      const first = firsts.reduce((a, b) => Math.min(a, b));
      const last = firsts.reduce((a, b) => Math.max(a, b));
      lab.found.observations.push({
        scenario: "startup",
        point: `${count.toLocaleString("en")} idle`,
        count,
        contestant: one.id,
        round,
        metrics: {
          startup: { kind: "median", parts: [first - beganNs] },
          adding: { kind: "median", parts: [last - orderedNs] },
          memory: { kind: "median", parts: [bytes] },
        },
      });
    });
  },
};
