/**
 * What the daemon tells Prometheus. Labels hold names from the configuration and words of ours, never a PID, a user or a command: their number
 * is bounded, whatever runs on the host.
 */
import type { DecisionKind, Supervisor, TargetReport } from "../daemon/supervisor.js";
import type { TargetState } from "../target-stats.js";
import { Exposition, type Sample } from "./exposition.js";

const states: readonly TargetState[] = ["pending", "running", "stopped", "waiting", "paused", "held"];
const origins = ["rule", "quota", "hand"] as const;
const kinds: readonly DecisionKind[] = [
  "hobbled",
  "watched",
  "changed",
  "escalated",
  "released",
  "exited",
  "failed",
  "evaded",
  "held",
  "unheld",
  "reloaded",
  "off",
  "on",
  "warning",
];

export function metricsText(supervisor: Supervisor): string {
  const { version, startedAt, loadedAt, off, rules, scan, decisions, engine } = supervisor.stats();
  const targets = supervisor.targets();
  const out = new Exposition();

  out.gauge("hobble_build_info", "Always 1; the version is its label.", [{ labels: { version }, value: 1 }]);
  out.gauge("hobble_start_time_seconds", "When the daemon started, since the epoch.", startedAt / 1000);
  out.gauge("hobble_config_load_time_seconds", "When the configuration in force was read, since the epoch.", loadedAt / 1000);
  out.gauge("hobble_off", "1 while everything is switched off.", off === null ? 0 : 1);

  out.gauge("hobble_targets", "Targets now, by what made them targets and by state.", byOriginAndState(targets));
  out.gauge("hobble_members", "Processes of all targets.", engine.members);
  const ofRule = (value: (rule: (typeof rules)[number]) => number): Sample[] =>
    rules.map((rule) => ({ labels: { rule: rule.rule, origin: rule.origin, mode: rule.mode }, value: value(rule) }));
  out.gauge(
    "hobble_rule_targets",
    "Targets now, by rule or quota.",
    ofRule((rule) => rule.targets),
  );
  out.counter(
    "hobble_rule_hobbled_total",
    "Times that a rule or quota made something a target.",
    ofRule((rule) => rule.hobbled),
  );
  out.counter(
    "hobble_rule_escalated_total",
    "Times that a rule or quota escalated.",
    ofRule((rule) => rule.escalated),
  );
  out.counter(
    "hobble_rule_released_total",
    "Times that a rule or quota released something.",
    ofRule((rule) => rule.released),
  );
  out.counter(
    "hobble_decisions_total",
    "Decisions, by kind.",
    kinds.map((kind) => ({ labels: { kind }, value: decisions[kind] ?? 0 })),
  );

  out.counter("hobble_signals_total", "Signals sent.", engine.signals);
  out.counter("hobble_wakeups_total", "Wake-ups of the timer threads.", engine.wakeups);
  out.counter("hobble_skipped_windows_total", "Windows that were wholly in the past when their turn came.", engine.skippedWindows);
  out.counter(
    "hobble_deferred_windows_total",
    "Run windows that had to wait because of a cap on what runs at once.",
    engine.deferredWindows,
  );
  out.counter("hobble_engine_cpu_seconds_total", "CPU time of the engine, by thread.", [
    { labels: { thread: "timer" }, value: engine.cpuNs / 1e9 },
    { labels: { thread: "scout" }, value: engine.scoutCpuNs / 1e9 },
  ]);
  out.counter(
    "hobble_engine_spin_seconds_total",
    "Part of the timer threads' CPU time that was spent waiting for a deadline.",
    engine.spinNs / 1e9,
  );
  out.gauge("hobble_engine_stretch", "Factor by which periods are lengthened because of overload; 1 = not at all.", engine.stretch);
  out.gauge("hobble_engine_realtime", "1 if the timer thread has SCHED_FIFO.", engine.scheduler === "fifo" ? 1 : 0);
  out.gauge("hobble_engine_guarded", "1 if a guardian watches.", engine.guardian === undefined ? 0 : 1);

  const { boundsNs, lateness, runError, stopError } = supervisor.histograms();
  out.histogram("hobble_signal_lateness_seconds", "Moment a signal was sent minus its deadline.", boundsNs, [
    { labels: {}, histogram: lateness },
  ]);
  out.histogram("hobble_window_error_seconds", "Absolute difference between a window as it was and as asked.", boundsNs, [
    { labels: { window: "run" }, histogram: runError },
    { labels: { window: "stop" }, histogram: stopError },
  ]);

  out.counter("hobble_scans_total", "Scans of the processes.", scan.scans);
  out.gauge("hobble_scan_processes", "Processes that the last scan saw.", scan.processes);
  out.gauge("hobble_scan_hidden_processes", "Processes that the last scan was not permitted to read.", scan.hidden);
  out.counter("hobble_scan_cpu_seconds_total", "CPU time of scanning and of deciding.", [
    { labels: { part: "scan" }, value: scan.scanCpuNs / 1e9 },
    { labels: { part: "decide" }, value: scan.decideCpuNs / 1e9 },
  ]);
  return out.text();
}

/** Every combination, so that a series does not vanish when its last target does. */
function byOriginAndState(targets: readonly TargetReport[]): Sample[] {
  const counts = new Map<string, number>();
  for (const { origin, state } of targets) counts.set(`${origin} ${state}`, (counts.get(`${origin} ${state}`) ?? 0) + 1);
  return origins.flatMap((origin) => states.map((state) => ({ labels: { origin, state }, value: counts.get(`${origin} ${state}`) ?? 0 })));
}
