/** An ancestor in a tree is killed while all of it is stopped: every descendant must run again, after release or because it goes on being hobbled. */
import { setTimeout as sleep } from "node:timers/promises";
import { Hobbler } from "hobble";
import type { Lengths } from "./lengths.js";
import { States } from "./states.js";
import type { Verdicts } from "./verdicts.js";
import { startTree } from "./ways.js";

const patienceMs = 3000;

async function until(condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await sleep(1);
  }
  return true;
}

export async function ancestorsDie({ ancestors }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading("an ancestor is killed in a stop window; a tree of three levels, run 5 ms, stop 100 ms");
  let notStopped = 0;
  let stuckWhileHobbled = 0;
  let stuckAfterRelease = 0;
  for (let i = 0; i < ancestors; i++) {
    const tree = await startTree();
    // The root or the middle, in turn; the leaf is always below.
    const victim = tree.pids[i % 2] ?? 0;
    const leaf = tree.pids[2] ?? 0;
    const whole = new States(tree.pids);
    const survivors = new States(tree.pids.filter((pid) => pid !== victim));
    const below = new States([leaf]);
    const hobbler = new Hobbler();
    try {
      const target = hobbler.add({ tree: tree.pids[0] ?? 0 }, { run: "5ms", stop: "100ms" });
      await target.ready;
      await sleep(Math.random() * 105);
      if (!(await until(() => whole.stopped() === tree.pids.length))) notStopped++;
      process.kill(victim, "SIGKILL");
      // It is seen running, under the cycle that goes on.
      if (!(await until(() => below.stopped() === 0))) stuckWhileHobbled++;
      await sleep(Math.random() * 105);
      await target.release();
      if (survivors.stopped() > 0) stuckAfterRelease++;
    } finally {
      for (const states of [whole, survivors, below]) states.close();
      await hobbler.close();
      tree.end();
    }
  }
  const times = `${ancestors} times; the tree was not stopped as a whole ${notStopped} times`;
  verdicts.tell(
    notStopped === 0 && stuckWhileHobbled === 0,
    `while hobbled: ${times}, a descendant never ran again ${stuckWhileHobbled} times`,
  );
  verdicts.tell(stuckAfterRelease === 0, `after release: left stopped ${stuckAfterRelease} times`);
}
