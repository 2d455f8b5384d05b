/** How long the daemon takes to answer when it has many targets. */
import { execFileSync } from "node:child_process";
import { Herd } from "../herd.js";
import { atMost, type Figure } from "../report/figures.js";
import { median } from "../statistics.js";
import { commandPath, Service } from "./service.js";

/** A limit needs no signal while its target sleeps; cycles take a good part of the host for their signals alone. */
const kinds: Record<string, string> = { "limited, asleep": 'limit = "5%"', "in cycles of 260 ms": 'run = "10ms", stop = "250ms"' };

export async function asking(targets: number, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, terms] of Object.entries(kinds)) {
    const herd = await Herd.start({ count: targets, kind: "idle", lifetimeSeconds: 300, shortestGapMs: 1, userId: undefined });
    const rules = (folder: string) => `[[rule]]\nname = "tarpit"\nmatch = { pidFile = "${folder}/pids" }\nhobble = { ${terms} }\n`;
    const service = await Service.start({ rules }, { pids: herd.pids.join("\n") });
    try {
      await service.hobbles(targets);
      figures.push(...measure(`${targets} targets, ${kind}`, service.socket, targets, rounds));
    } finally {
      await service.end();
      await herd.end();
    }
  }
  return figures;
}

function measure(scenario: string, socket: string, targets: number, rounds: number): Figure[] {
  const elapsedMs = (words: readonly string[]) => {
    const began = performance.now();
    const told = execFileSync(process.execPath, words, { encoding: "utf8", maxBuffer: 1 << 28 });
    if (words.includes("ls") && told.length < targets * 20) throw new Error("it did not tell of all targets");
    return performance.now() - began;
  };
  const times = (...words: string[]) => median(Array.from({ length: rounds }, () => elapsedMs(words)));
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return [
    atMost(scenario, `hobble ls (of it Node.js: ${ms(times("-e", "0"))})`, times(commandPath, "ls", "--socket", socket), 300, ms),
    atMost(scenario, "hobble ls --json", times(commandPath, "ls", "--json", "--socket", socket), 300, ms),
  ];
}
