/** A program that hobbles and then dies in the way it is told: the patient of the fault injection. Speaks lines of JSON; see owner-process.ts. */
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Hobbler, type HobblerOptions, type PoolOptions } from "hobble";

export interface OwnerOptions {
  pids: readonly number[];
  run: string;
  stop: string;
  tree: boolean;
  cgroups?: readonly string[];
  via?: "freeze";
  /** In the place of the cycle: a pool of all targets, or a limit of each. */
  pool?: PoolOptions;
  limit?: string;
  /** Says that it is at work before its targets are ready. */
  early?: boolean;
  hobbler: HobblerOptions;
}

/** `guardian` is undefined without one. */
export interface OwnerReply {
  guardian: number | undefined;
}

async function hobble({
  pids,
  run,
  stop,
  tree,
  cgroups = [],
  via,
  pool,
  limit,
  early = false,
  hobbler: options,
}: OwnerOptions): Promise<Hobbler> {
  const hobbler = new Hobbler(options).ref();
  const cycle = limit === undefined ? { run, stop } : { limit };
  const terms = pool === undefined ? cycle : { pool: hobbler.pool("all", pool) };
  const selectors = [...pids.map((pid) => (tree ? { tree: pid, via } : { pid, via })), ...cgroups.map((cgroup) => ({ cgroup, via }))];
  const ready = Promise.all(selectors.map((selector) => hobbler.add(selector, terms).ready));
  if (!early) await ready;
  return hobbler;
}

function say(reply: OwnerReply): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? "{}") as OwnerOptions & { worker: boolean };
  let worker: Worker | undefined;
  let hobbler: Hobbler | undefined;
  if (options.worker) {
    worker = new Worker(new URL(import.meta.url), { workerData: options });
    const [guardian] = await new Promise<[number]>((resolve) => worker?.once("message", (value) => resolve([value as number])));
    say({ guardian });
  } else {
    hobbler = await hobble(options);
    say({ guardian: hobbler.stats().guardian });
  }
  process.on("SIGUSR2", () => process.exit(0));
  for await (const word of createInterface({ input: process.stdin })) {
    if (word === "guardian") say({ guardian: hobbler?.stats().guardian });
    if (word === "terminate") await worker?.terminate();
    if (word === "throw") {
      setImmediate(() => {
        throw new Error("on purpose");
      });
    }
    // Until the memory of its cgroup is used up.
    if (word === "eat") for (const eaten: Buffer[] = []; ; ) eaten.push(Buffer.alloc(1 << 24, 1));
  }
}

if (isMainThread) {
  await main();
} else {
  const hobbler = await hobble(workerData as OwnerOptions);
  parentPort?.postMessage(hobbler.stats().guardian);
  setInterval(() => {}, 1000);
}
