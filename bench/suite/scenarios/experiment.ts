/** The experiment that started it all, again: 200 sleeping processes, with and without re-reading their trees in each period. */
import { type Entrant, inUsualPrecision } from "../../contestants/entrants.js";
import { type BenchScenario, cycle, takeTurns } from "../bench-lab.js";
import { trial } from "../trial.js";

const count = 200;
/** hobble gathers those that sleep when they have slept through two periods. */
const settledSeconds = 1.04;
const pythons = ["asyncio", "gevent", "threads", "batched"];

export const experiment: BenchScenario = {
  name: "experiment",
  about: "200 sleeping processes, as the experiment hobbled them",
  async run(lab) {
    const plain = (one: Entrant) => one.means === "signals" && one.most >= count && one.as !== "pool" && inUsualPrecision(one);
    const inTable = ({ id }: Entrant) => ["hobble", "asyncio", "gevent", "threads"].includes(id);
    const all = [
      { name: "200 processes", tree: false, among: lab.entrants.filter(plain) },
      {
        name: "200 trees",
        tree: true,
        among: lab.entrants.filter((one) => plain(one) && (pythons.includes(one.id) || one.options !== undefined)),
      },
    ];
    // The experiment's own table, and hobble.
    const points = lab.effort.name === "quick" ? [{ name: "200 processes", tree: false, among: lab.entrants.filter(inTable) }] : all;
    for (const { name, tree, among } of points) {
      await takeTurns(lab, lab.effort.rounds, among, async (one, round) => {
        lab.log(`experiment: ${name}: ${one.name}`);
        const { seconds } = lab.effort;
        const warmupSeconds = Math.max(settledSeconds, lab.effort.warmupSeconds);
        const { metrics } = await trial(lab, one, { count, load: "idle", cycle, tree, seconds, warmupSeconds });
        lab.found.observations.push({ scenario: "experiment", point: name, count, contestant: one.id, round, metrics });
      });
    }
  },
};
