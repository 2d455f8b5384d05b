/** The kernel's own count of the SIGSTOPs and SIGCONTs sent to processes of a name, from the tracepoint signal:signal_generate. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";

const tracefs = "/sys/kernel/tracing";

export interface SignalCount {
  count(): number;
  close(): void;
}

/** Undefined where tracefs may not be used. */
export function countSignalsTo(name: string): SignalCount | undefined {
  const instance = `${tracefs}/instances/hobble-faults-${process.pid}`;
  const write = (file: string, text: string) => writeFileSync(`${instance}/${file}`, text);
  try {
    mkdirSync(instance);
    write("events/signal/signal_generate/filter", `(sig==18||sig==19)&&comm=="${name}"`);
    write("events/signal/signal_generate/enable", "1");
  } catch {
    return undefined;
  }
  return {
    count: () =>
      readdirSync(`${instance}/per_cpu`)
        .flatMap((cpu) => /^entries: (\d+)/m.exec(readFileSync(`${instance}/per_cpu/${cpu}/stats`, "utf8"))?.[1] ?? [])
        .reduce((sum, entries) => sum + Number(entries), 0),
    close() {
      write("events/signal/signal_generate/enable", "0");
      rmdirSync(instance);
    },
  };
}
