/**
 * PIDs are reused under the hobbler's hands, as fast as they can be. Runs inside a PID namespace of its own (see reuse.ts); says what came of it
 * in one line of JSON.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type HobbleError, Hobbler, identify, recover, type TargetSelector } from "hobble";
import { nativeProgram } from "../native-programs.js";
import { Lines } from "./lines.js";
import { Owner } from "./owner-process.js";

export interface ReuseResult {
  reused: number;
  /** That strangers counted. */
  signals: number;
  /** That hobble sent to targets, so that there was something to go astray. */
  sent: number;
  /** What became of targets that were added with the identity of the dead one. */
  refusals: Record<string, number>;
  recoveries: number;
}

const atOnce = 50;
const cycle = { run: "1ms", stop: "2ms" } as const;

const rounds = Number(process.argv[2] ?? 10);
const runtimeDir = mkdtempSync("/dev/shm/reuse-");
const herd = new Lines([nativeProgram("reuse"), String(atOnce)]);
const hobbler = new Hobbler({ runtimeDir });
const result: ReuseResult = { reused: 0, signals: 0, sent: 0, refusals: {}, recoveries: 0 };

async function pidsOfTargets(): Promise<{ parent: number; pids: number[] }> {
  const [, parent = 0, ...pids] = (await herd.ask("targets")).map(Number);
  return { parent, pids };
}

async function swap(): Promise<void> {
  const [, reused] = await herd.ask("strangers");
  result.reused += Number(reused);
}

async function countSignals(): Promise<void> {
  const [, signals] = await herd.ask("count");
  result.signals = Number(signals);
}

function selectorsOf(pids: readonly number[]): TargetSelector[] {
  return pids.flatMap((pid) => identify(pid) ?? []);
}

function note({ code }: HobbleError): void {
  result.refusals[code] = (result.refusals[code] ?? 0) + 1;
}

/** They are hobbled, each by itself, when their PIDs change hands; and added again by the identity that they no longer have. */
async function singly(): Promise<void> {
  const { pids } = await pidsOfTargets();
  const selectors = selectorsOf(pids);
  const half = selectors.length / 2;
  const targets = selectors.slice(0, half).map((selector) => hobbler.add(selector, cycle));
  await Promise.all(targets.map(({ ready }) => ready));
  await sleep(Math.random() * 10);
  // The others while they die.
  const late = selectors.slice(half).map((selector) => hobbler.add(selector, cycle));
  await swap();
  const stale = selectors.map((selector) => hobbler.add(selector, cycle));
  await Promise.all([...late, ...stale].map(({ ready }) => ready.catch(note)));
  await sleep(Math.random() * 20);
  await Promise.all([...targets, ...late, ...stale].map((target) => target.release()));
}

/** They are children in a tree that is hobbled, found by reading it. */
async function asTree(): Promise<void> {
  const { parent, pids } = await pidsOfTargets();
  const target = hobbler.add({ tree: parent }, { run: "2ms", stop: "1ms" });
  await target.ready;
  await sleep(Math.random() * 30);
  await swap();
  await sleep(Math.random() * 30);
  await countSignals();
  await target.release();
  if (pids.length === 0) throw new Error("no targets");
}

/** Their owner is dead, and so are they: the table names PIDs that are strangers' now. */
async function recovered(): Promise<void> {
  const { pids } = await pidsOfTargets();
  const owner = await Owner.start({ pids, run: "1ms", stop: "10m", tree: false, hobbler: { runtimeDir, guardian: "off" } });
  await owner.end();
  await swap();
  const members = recover({ runtimeDir }).flatMap((table) => table.members);
  for (const member of members) if (member.result !== "gone") result.signals++;
  result.recoveries += members.length;
}

try {
  for (let round = 0; round < rounds; round++) {
    if (round % 20 === 19) await recovered();
    else if (round % 2 === 0) await singly();
    else await asTree();
    await countSignals();
  }
  result.sent = hobbler.stats().signals;
  await hobbler.close();
  await countSignals();
  await herd.end();
  console.log(JSON.stringify(result));
} finally {
  rmSync(runtimeDir, { recursive: true, force: true });
}
