/** What each metric is called, how it is written, and which way is better. */
import { megabytes, percent, time, times } from "./units.js";

export type Better = "lower" | "higher" | "nearer 1";

export interface Metric {
  title: string;
  format: (value: number) => string;
  /** Undefined: neither; it tells what happened. */
  better?: Better;
  /** Drawn on a logarithmic axis. */
  logarithmic?: boolean;
}

const number = (value: number) => (Number.isNaN(value) ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 3 }));

export const metrics: Record<string, Metric> = {
  runErrorP50: { title: "run-window error, p50", format: time, better: "lower", logarithmic: true },
  runErrorP99: { title: "run-window error, p99", format: time, better: "lower", logarithmic: true },
  stopErrorP99: { title: "stop-window error, p99", format: time, better: "lower", logarithmic: true },
  duty: { title: "duty", format: percent },
  cpu: { title: "CPU of the contestant", format: percent, better: "lower", logarithmic: true },
  perSignal: { title: "CPU for each signal", format: time, better: "lower", logarithmic: true },
  memory: { title: "memory", format: megabytes, better: "lower" },
  targetsCpu: { title: "CPU of the targets", format: percent },
  limitOff: { title: "CPU got / CPU asked", format: times, better: "nearer 1" },
  latencyP50: { title: "bystander's wake-up latency, p50", format: time, better: "lower", logarithmic: true },
  latencyP99: { title: "bystander's wake-up latency, p99", format: time, better: "lower", logarithmic: true },
  throughput: { title: "bystander's CPUs worth of work", format: (value) => value.toFixed(2), better: "higher" },
  compiles: { title: "compilations a minute", format: number, better: "higher" },
  requests: { title: "Redis requests a second", format: number, better: "higher" },
  requestP99: { title: "Redis request, p99", format: time, better: "lower", logarithmic: true },
  benefit: { title: "CPU given back for each CPU taken", format: times, better: "higher", logarithmic: true },
  givenBack: { title: "CPUs given back", format: (value) => value.toFixed(2), better: "higher" },
  leftStopped: { title: "targets left stopped", format: percent, better: "lower" },
  resumedAfter: { title: "all running again after", format: time, better: "lower", logarithmic: true },
  startup: { title: "from start to the first SIGSTOP", format: time, better: "lower", logarithmic: true },
  adding: { title: "from the order to the last target's first SIGSTOP", format: time, better: "lower", logarithmic: true },
  scan: { title: "one look at all processes", format: time, better: "lower", logarithmic: true },
  churn: { title: "targets added and removed a second", format: number, better: "higher" },
  fairness: { title: "CPU of the best off / of the worst off", format: times, better: "lower" },
};

export function metric(id: string): Metric {
  return metrics[id] ?? { title: id, format: number };
}
