/** The ways in which an owner dies, or fails without dying. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { recover } from "hobble";
import { repository } from "../native-programs.js";
import type { Owner } from "./owner-process.js";
import type { Way } from "./trial.js";

const bySignal = (signal: NodeJS.Signals): Way => ({ name: signal, strike: (owner) => owner.signal(signal) });
const kill = (pid: number) => process.kill(pid, "SIGKILL");

export const deaths: readonly Way[] = [
  bySignal("SIGKILL"),
  bySignal("SIGSEGV"),
  bySignal("SIGABRT"),
  bySignal("SIGTERM"),
  { name: "process.exit() in a handler", strike: (owner) => owner.signal("SIGUSR2") },
  { name: "an uncaught exception", strike: (owner) => owner.tell("throw") },
  { name: "worker.terminate()", inWorker: true, strike: (owner) => owner.tell("terminate") },
];

/** Its targets run until it wakes; then it hobbles them again, and dies. */
export const suspension = (forMs: number): Way => ({
  name: `SIGSTOP for ${forMs / 1000} s, then SIGKILL`,
  strike: (owner) => owner.signal("SIGSTOP"),
  async finish(owner, states) {
    await sleep(forMs);
    if (states.stopped() > 0) throw new Error("something was stopped although its owner sleeps");
    owner.signal("SIGCONT");
    await until(() => states.stopped() > 0, "nothing is hobbled again");
    owner.signal("SIGKILL");
    await owner.gone();
    await until(() => states.stopped() === 0, "something is left stopped");
  },
});

async function until(condition: () => boolean, otherwise: string): Promise<void> {
  for (const deadline = performance.now() + 5000; !condition(); await sleep(1)) {
    if (performance.now() > deadline) throw new Error(otherwise);
  }
}

export const guardianDeaths: readonly Way[] = [
  {
    name: "SIGKILL to the guardian, 100 ms later to the owner",
    async strike(owner) {
      kill(owner.guardian);
      await sleep(100);
      owner.signal("SIGKILL");
    },
  },
  {
    // At any moment of the new one's start: if there was none yet, the table is left for hobble release.
    name: "SIGKILL to the guardian, up to 30 ms later to the owner, then hobble release",
    async strike(owner) {
      kill(owner.guardian);
      await sleep(Math.random() * 30);
      kill(owner.pid);
      await owner.gone();
    },
    remedy: () => hobbleRelease(),
  },
  {
    name: "both at once (guardian first), then hobble release",
    async strike(owner) {
      kill(owner.guardian);
      kill(owner.pid);
      await owner.gone();
    },
    remedy: () => hobbleRelease(),
  },
  {
    name: "both at once (owner first), then hobble release",
    async strike(owner) {
      kill(owner.pid);
      kill(owner.guardian);
      await owner.gone();
    },
    remedy: () => hobbleRelease(),
  },
  {
    name: "both suspended and killed, then the next start",
    async strike(owner) {
      process.kill(owner.guardian, "SIGSTOP");
      process.kill(owner.pid, "SIGSTOP");
      kill(owner.guardian);
      kill(owner.pid);
      await owner.gone();
    },
    // What every new engine does first.
    remedy: () => void recover(),
  },
];

function hobbleRelease(): void {
  execFileSync(process.execPath, [`${repository}/dist/cli/main.js`, "release"], { stdio: ["ignore", "ignore", "inherit"] });
}

const memoryGroup = "/sys/fs/cgroup/memory/hobble-faults";

/** Undefined where there is no memory controller of cgroup v1 that may be written to. */
export function outOfMemory(): (Way & { end(): void }) | undefined {
  if (!existsSync("/sys/fs/cgroup/memory/cgroup.procs")) return undefined;
  try {
    mkdirSync(memoryGroup, { recursive: true });
    writeFileSync(`${memoryGroup}/memory.limit_in_bytes`, String(256 << 20));
  } catch {
    return undefined;
  }
  return {
    name: "OOM kill in a cgroup",
    async strike(owner: Owner) {
      appendFileSync(`${memoryGroup}/cgroup.procs`, String(owner.pid));
      owner.tell("eat");
      await owner.gone();
    },
    end: () => rmdirSync(memoryGroup),
  };
}

/** A tree of three levels, in a session of its own: its PIDs, root first. */
export async function startTree(): Promise<{ pids: number[]; end(): void }> {
  const nested = `sh -c 'sleep 600 & echo leaf $!; wait' & echo middle $!; wait`;
  const root = spawn("setpriv", ["--pdeathsig", "KILL", "--", "sh", "-c", nested], { stdio: ["ignore", "pipe", "ignore"], detached: true });
  let text = "";
  while (!(text.includes("leaf") && text.includes("middle") && text.endsWith("\n"))) {
    const [chunk] = (await once(root.stdout, "data")) as [Buffer];
    text += chunk.toString();
  }
  const numberAfter = (word: string) => Number(new RegExp(`${word} (\\d+)`).exec(text)?.[1]);
  const pids = [root.pid ?? 0, numberAfter("middle"), numberAfter("leaf")];
  return {
    pids,
    end() {
      for (const pid of pids) {
        try {
          kill(pid);
        } catch {
          // Gone.
        }
      }
    },
  };
}
