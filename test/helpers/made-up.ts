/** Made-up processes and clocks for tests of decisions. */
import type { ProcessInfo } from "../../src/discovery/process-info.js";
import { readConfiguration } from "../../src/rules/configuration.js";
import { type Decisions, RuleEngine, type World } from "../../src/rules/engine.js";
import type { Pressures } from "../../src/rules/rule.js";

export type MadeUp = { -readonly [Key in keyof ProcessInfo]: ProcessInfo[Key] };

/** One process of a student, an hour old. */
export function madeUp(changes: Partial<MadeUp> = {}): MadeUp {
  return {
    pid: 100,
    startTime: 0,
    parentPid: 1,
    processGroup: 100,
    session: 100,
    name: "python3",
    uid: 1001,
    user: "student1",
    groups: "students,video",
    executable: "/usr/bin/python3.11",
    commandLine: "python3 loop.py --fast",
    cgroup: "/user.slice/user-1001.slice/session-3.scope",
    state: "R",
    threads: 3,
    nice: 0,
    residentBytes: 100e6,
    cpuNs: 0,
    waitedNs: 0,
    readAtNs: 3600e9,
    version: 0,
    ...changes,
  };
}

export interface Round {
  /** Names of the rules in force, by PID. */
  readonly wanted: Record<number, string>;
  readonly turns: string[];
  readonly decisions: Decisions;
}

/** A host with made-up processes, on which time passes when it is told to. */
export class MadeUpHost {
  readonly engine: RuleEngine;
  readonly processes = new Map<number, MadeUp>();
  readonly lists = new Map<string, ReadonlySet<number>>();
  pressures: Pressures = {};
  throttled: boolean | undefined;
  nowNs = 3600e9;

  constructor(toml: string, ...processes: MadeUp[]) {
    const { configuration, problems } = readConfiguration([{ file: "test.toml", text: toml }]);
    if (configuration === undefined) throw new Error(JSON.stringify(problems, undefined, 1));
    this.engine = new RuleEngine(configuration.ruleSet);
    for (const process of processes) this.processes.set(process.pid, process);
  }

  world(): World {
    return {
      nowNs: this.nowNs,
      processes: this.processes,
      lists: this.lists,
      pressures: this.pressures,
      throttled: () => this.throttled,
    };
  }

  /** A scan now. */
  scan(): Round {
    const decisions = this.engine.decide(this.processes.values(), this.world());
    return {
      wanted: Object.fromEntries(
        [...decisions.wanted].map(([process, { rule, tier }]) => [process.pid, tier === 0 ? rule.name : `${rule.name} tier ${tier}`]),
      ),
      turns: decisions.turns.map(({ process, rule, kind }) => `${process.pid} ${kind} ${rule.name}`),
      decisions,
    };
  }

  /** Time passes, in scans of 2 s, while each process uses `cpus`. Gives the last scan. */
  pass(seconds: number, cpus = 0): Round {
    let round = this.scan();
    for (let passed = 0; passed < seconds; passed += 2) {
      this.nowNs += 2e9;
      for (const process of this.processes.values()) {
        process.cpuNs += cpus * 2e9;
        process.readAtNs = this.nowNs;
      }
      round = this.scan();
    }
    return round;
  }
}
