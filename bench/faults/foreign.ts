/** An operator's SIGSTOP comes at random moments of the cycle: how often is it undone? */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Hobbler } from "hobble";
import type { Lengths } from "./lengths.js";
import type { Verdicts } from "./verdicts.js";

const runMs = 30;
const stopMs = 100;
/** docs/safety.md says when: 1 to 3 % with so short a cycle. A few trials beside other work take more room; a breakdown undoes most of them. */
const admitted = 0.3;

const startBurner = () => spawn("setpriv", ["--pdeathsig", "KILL", "--", "sh", "-c", "while :; do :; done"], { stdio: "ignore" });
const isStopped = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] === "T";

export async function foreignStops({ foreignStops: stops }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading(`SIGSTOP from somebody else at random moments; one busy target, run ${runMs} ms, stop ${stopMs} ms`);
  const burner = startBurner();
  const pid = burner.pid ?? 0;
  const hobbler = new Hobbler();
  let undone = 0;
  let lost = 0;
  try {
    const target = hobbler.add(pid, { run: `${runMs}ms`, stop: `${stopMs}ms` });
    await target.ready;
    for (let i = 0; i < stops; i++) {
      await sleep(150 + Math.random() * (runMs + stopMs));
      process.kill(pid, "SIGSTOP");
      await sleep(5);
      let ran = false;
      for (const end = performance.now() + 2 * (runMs + stopMs); performance.now() < end; await sleep(2)) ran ||= !isStopped(pid);
      if (ran) undone++;
      // One that was undone needs no SIGCONT: that would be evasion, and the target be watched for it.
      if (target.state === "held") process.kill(pid, "SIGCONT");
    }
    // The last one for good: it outlives the hobbler.
    for (let i = 0; i < 3 && !isStopped(pid); i++) await sleep(20);
    process.kill(pid, "SIGSTOP");
    await sleep(10);
    await hobbler.close();
    for (let look = 0; look < 50; look++, await sleep(2)) if (!isStopped(pid)) lost++;
  } finally {
    await hobbler.close();
    burner.kill("SIGKILL");
  }
  const share = ((undone / stops) * 100).toFixed(1);
  verdicts.tell(undone <= stops * admitted, `${stops} times, undone ${undone} times (${share} %)`);
  verdicts.tell(lost === 0, `one that is in force at the end stays in force`);
}
