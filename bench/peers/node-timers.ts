/** The plain loop in JavaScript: two timers for each process. */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

interface Order {
  type: "start" | "add" | "stop";
  pids: number[];
  runMs?: number;
  stopMs?: number;
}

const hobbled: number[] = [];
let runMs = 0;
let stopMs = 0;

async function hobble(pid: number): Promise<void> {
  try {
    for (;;) {
      process.kill(pid, "SIGSTOP");
      await sleep(stopMs);
      process.kill(pid, "SIGCONT");
      await sleep(runMs);
    }
  } catch {
    // It is gone.
  }
}

process.stdout.write('{"type":"hello"}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if (order.type === "stop") break;
  runMs = order.runMs ?? runMs;
  stopMs = order.stopMs ?? stopMs;
  hobbled.push(...order.pids);
  for (const pid of order.pids) void hobble(pid);
  process.stdout.write('{"type":"started"}\n');
}
for (const pid of hobbled) {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It is gone.
  }
}
process.exit(0);
