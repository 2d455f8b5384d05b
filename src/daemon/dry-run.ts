/** What a configuration would do now: looks twice, a second apart, and touches nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { PidLists } from "../discovery/pid-lists.js";
import { ProcSource } from "../discovery/proc.js";
import { PsListSource } from "../discovery/ps-list.js";
import { host } from "../native-host.js";
import type { Configuration } from "../rules/configuration.js";
import { RuleEngine } from "../rules/engine.js";
import { formatLong } from "../rules/units.js";

export interface DryMatch {
  readonly rule: string;
  readonly mode: "hobble" | "watch";
  readonly pid: number;
  readonly user: string;
  readonly name: string;
  /** The conditions, with what was found. */
  readonly reason: string;
  /** What it would have to wait for before anything happened: "for 30 s", "cpuPressure 10 %"; null = nothing. */
  readonly waits: string | null;
}

export interface DryRun {
  readonly processes: number;
  /** Those that may not be looked at. */
  readonly hidden: number;
  readonly matches: readonly DryMatch[];
}

export async function dryRun({ ruleSet, daemon, needs, lists }: Configuration): Promise<DryRun> {
  const source = daemon.source === "ps-list" ? new PsListSource() : new ProcSource(needs);
  // Everything that would delay a decision is left out here, and told as `waits`.
  const rules = ruleSet.rules.map((rule) => ({ ...rule, forNs: 0, when: undefined }));
  const engine = new RuleEngine({ ...ruleSet, rules });
  const files = new PidLists();
  files.follow(lists);
  await files.read();
  const look = async () => {
    await source.list();
    const { processes } = source;
    const nowNs = host().sinceBootNs();
    const world = { nowNs, processes, lists: files.members(processes), pressures: {}, throttled: () => undefined };
    return engine.decide(processes.values(), world);
  };
  const before = await look();
  // A share of CPU is known when there are two scans.
  const decisions = ruleSet.cpuOverNs === undefined ? before : await sleep(1000).then(look);
  const originals = new Map(ruleSet.rules.map((rule) => [rule.name, rule]));
  const turns = ruleSet.cpuOverNs === undefined ? before.turns : [...before.turns, ...decisions.turns];
  const matches = turns
    .filter(({ kind }) => kind === "entered")
    .map(({ process: { pid, user, name }, rule, reason }) => {
      const { forNs = 0, when, mode = "hobble" } = originals.get(rule.name) ?? {};
      const pressures = Object.entries(when ?? {}).filter(([, share]) => share !== undefined);
      const waits = [
        ...(forNs > 0 ? [`for ${formatLong(forNs)}`] : []),
        ...pressures.map(([kind, share]) => `${kind}Pressure ${Math.round(Number(share) * 100)} %`),
      ];
      return { rule: rule.name, mode, pid, user, name, reason, waits: waits.length === 0 ? null : waits.join(", ") };
    });
  const { processes, hidden } = source.figures;
  return { processes, hidden, matches };
}
