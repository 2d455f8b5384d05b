/** Thousands of targets that come and go, some by release, most by death: what the engine holds must return to where it began. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Hobbler, type Target } from "hobble";
import { nativeProgram } from "../native-programs.js";
import type { Lengths } from "./lengths.js";
import { Lines } from "./lines.js";
import type { Verdicts } from "./verdicts.js";

const turnsPerSecond = 20;
/** What Node's heap and the allocator may grow by without anybody's fault. */
const admittedGrowthMiB = 16;
/** Offsets in the table of leases; see native/engine/leases.h. */
const usedOffset = 88;
const firstSlot = 4096;
const slotBytes = 64;

interface Held {
  descriptors: number;
  memoryMiB: number;
  /** The part of it that JavaScript's objects take. */
  heapMiB: number;
  leases: number;
  slots: number;
  targets: number;
  members: number;
}

// Garbage is nobody's leak.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heldBy(hobbler: Hobbler): Held {
  const table = readdirSync("/proc/self/fd").flatMap((fd) => pathOfTable(fd))[0] ?? "";
  const bytes = readFileSync(table);
  const slots = bytes.readUInt32LE(usedOffset);
  const pids = Array.from({ length: slots }, (_, slot) => bytes.readInt32LE(firstSlot + slot * slotBytes + 8));
  const { targets, members } = hobbler.stats();
  for (let i = 0; i < 3; i++) collectGarbage();
  const { heapUsed } = process.memoryUsage();
  return {
    heapMiB: heapUsed / 2 ** 20,
    descriptors: readdirSync("/proc/self/fd").length,
    memoryMiB: Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024,
    leases: pids.filter((pid) => pid !== 0).length,
    slots,
    targets,
    members,
  };
}

function pathOfTable(fd: string): string[] {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    return path.endsWith(".leases") ? [path] : [];
  } catch {
    return [];
  }
}

const describe = ({ descriptors, memoryMiB, heapMiB, leases, slots, targets, members }: Held) =>
  `${descriptors} descriptors, ${memoryMiB.toFixed(1)} MiB (heap ${heapMiB.toFixed(1)}), ${leases} leases in ${slots} slots, ${targets} targets, ${members} members`;

export async function soak({ soakSeconds, soakTargets, soakTurnsPerSecond }: Lengths, verdicts: Verdicts): Promise<void> {
  verdicts.heading(
    `${soakTargets} targets of which ${soakTurnsPerSecond} a second come and go, for ${soakSeconds} s; run 10 ms, stop 250 ms`,
  );
  const herd = new Lines([nativeProgram("churn"), String(soakTargets)]);
  const hobbler = new Hobbler();
  let errors = 0;
  let exits = 0;
  let added = 0;
  let held = 0;
  hobbler.on("error", () => errors++);
  hobbler.on("exit", () => exits++);
  hobbler.on("held", () => held++);
  const living: Target[] = [];
  const take = ([, ...pids]: string[]) => {
    for (const pid of pids) living.push(hobbler.add(Number(pid), { run: "10ms", stop: "250ms" }));
    added += pids.length;
  };
  try {
    take(await herd.next());
    await Promise.all(living.map(({ ready }) => ready));
    const turn = Math.round(soakTurnsPerSecond / turnsPerSecond);
    const deadline = performance.now() + soakSeconds * 1000;
    let before: Held | undefined;
    let turns = 0;
    for (let next = performance.now(); next < deadline; next += 1000 / turnsPerSecond) {
      await sleep(Math.max(0, next - performance.now()));
      const leaving = living.splice(0, turn);
      // One in five is let go first; the others die while they are hobbled.
      for (const target of leaving) if (Math.random() < 0.2) void target.release();
      take(await herd.ask(`turn ${turn}`));
      // After the first tenth, when every pool has found its size.
      if (before === undefined && next > deadline - soakSeconds * 900) before = heldBy(hobbler);
      turns++;
    }
    await Promise.all(living.map(({ ready }) => ready.catch(() => {})));
    await sleep(500);
    const after = heldBy(hobbler);
    const pids = living.map(({ pid }) => pid);
    verdicts.note(`${added} targets in ${turns} turns, ${exits} exits, ${errors} were gone before their first signal`);
    if (before === undefined) throw new Error("the soak was too short");
    verdicts.note(`before: ${describe(before)}`);
    verdicts.note(`after:  ${describe(after)}`);
    verdicts.tell(
      after.targets === soakTargets && after.members === soakTargets && hobbler.targets.size === soakTargets,
      "counters did not drift",
    );
    verdicts.tell(after.leases === soakTargets && after.slots <= before.slots + 2 * turn, "leases returned to where they began");
    verdicts.tell(Math.abs(after.descriptors - before.descriptors) <= 2 * turn, "descriptors returned to where they began");
    verdicts.tell(after.memoryMiB - before.memoryMiB <= admittedGrowthMiB, "memory returned to where it began");
    verdicts.tell(held === 0, `taken for stopped by somebody else, though nobody did: ${held}`);
    await hobbler.close();
    const left = pids.filter((pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] === "T").length;
    verdicts.tell(left === 0, `left stopped: ${left}`);
  } finally {
    await hobbler.close();
    await herd.end();
  }
}
