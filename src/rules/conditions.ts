/** Single conditions, and how `any`, `all` and `not` join them. Pure. */
import type { ProcessInfo, ProcessText } from "../discovery/process-info.js";
import type { Facts } from "./facts.js";
import { globTester } from "./glob.js";
import type { IndexedCondition, IndexedField } from "./rule-index.js";
import type { Match } from "./schema-match.js";
import { formatCpus, formatLong, type Range } from "./units.js";

/**
 * - `fixed` speaks only of what changes the process's `version`: it is tried once a version
 * - `throttled` is met less because we hobble: for a process that its rule hobbles already, it counts as met
 */
type Nature = "fixed" | "varying" | "throttled";

export interface Condition {
  readonly nature: Nature;
  /** As the operator wrote it: 'user "student*"'. */
  readonly text: string;
  /** What a source must read for it. */
  readonly needs: readonly ProcessText[];
  test(process: ProcessInfo, facts: Facts): boolean;
  /** The single condition that makes this one fail; undefined if it holds. `held`: conditions that hobbling itself undoes count as met. */
  failure(process: ProcessInfo, facts: Facts, held: boolean): Condition | undefined;
  /** What was found instead: 'it is "root"'. */
  found(process: ProcessInfo, facts: Facts): string;
}

/** All that `match` asks; what is cheap and rules most processes out comes first. */
export function conditionOf(match: Match): Condition {
  const parts = conditionsOf(match).sort((a, b) => order.indexOf(a.nature) - order.indexOf(b.nature));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : all(parts);
}

const order: readonly Nature[] = ["fixed", "varying", "throttled"];

/** The parts that must all hold. */
export function partsOf(condition: Condition): readonly Condition[] {
  return condition instanceof All ? condition.parts : [condition];
}

const indexed = new WeakMap<Condition, IndexedCondition>();

/** What an index of rules needs to know to try this condition for all processes at once; undefined where it cannot. */
export function indexedOf(condition: Condition): IndexedCondition | undefined {
  return indexed.get(condition);
}

const neededTexts = new WeakMap<Condition, readonly string[]>();

/** Texts of which the command line must hold one for this condition to hold; undefined for a condition of which that cannot be told. */
export function neededOf(condition: Condition): readonly string[] | undefined {
  return neededTexts.get(condition);
}

/** The longest time that a share of CPU is looked at over, ns; undefined where none is. */
export function longestOver(match: Match): number | undefined {
  const inner = [...(match.any ?? []), ...(match.all ?? []), ...(match.not === undefined ? [] : [match.not])].map(longestOver);
  const own = match.cpuAbove === undefined ? undefined : (match.cpuOver ?? 0);
  const known = [own, ...inner].filter((over) => over !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Paths of the lists that `match` looks at, where it would not match without them being so: not those under `not`. */
export function listsOf(match: Match): string[] {
  const own = [match.cgroupProcs, match.pidFile].filter((path) => path !== undefined);
  return [...own, ...[...(match.any ?? []), ...(match.all ?? [])].flatMap(listsOf)];
}

/** All lists, also those under `not`. */
export function everyListOf(match: Match): string[] {
  return [
    ...listsOf({ ...match, any: [], all: [] }),
    ...[...(match.any ?? []), ...(match.all ?? [])].flatMap(everyListOf),
    ...(match.not ? everyListOf(match.not) : []),
  ];
}

class Single implements Condition {
  readonly nature: Nature;
  readonly text: string;
  readonly needs: readonly ProcessText[];
  readonly test: (process: ProcessInfo, facts: Facts) => boolean;
  readonly found: (process: ProcessInfo, facts: Facts) => string;

  constructor(
    nature: Nature,
    text: string,
    needs: readonly ProcessText[],
    test: (process: ProcessInfo, facts: Facts) => boolean,
    found: (process: ProcessInfo, facts: Facts) => string,
  ) {
    this.nature = nature;
    this.text = text;
    this.needs = needs;
    this.test = test;
    this.found = found;
  }

  failure(process: ProcessInfo, facts: Facts, held: boolean): Condition | undefined {
    return (held && this.nature === "throttled") || this.test(process, facts) ? undefined : this;
  }
}

class All implements Condition {
  readonly nature: Nature;
  readonly text: string;
  readonly needs: readonly ProcessText[];
  readonly parts: readonly Condition[];

  constructor(parts: readonly Condition[]) {
    this.parts = parts;
    this.nature = loosest(parts);
    this.text = parts.map(({ text }) => text).join(", ");
    this.needs = parts.flatMap(({ needs }) => needs);
  }

  test(process: ProcessInfo, facts: Facts): boolean {
    for (const part of this.parts) if (!part.test(process, facts)) return false;
    return true;
  }

  failure(process: ProcessInfo, facts: Facts, held: boolean): Condition | undefined {
    for (const part of this.parts) {
      const failed = part.failure(process, facts, held);
      if (failed !== undefined) return failed;
    }
    return undefined;
  }

  found(process: ProcessInfo, facts: Facts): string {
    return this.failure(process, facts, false)?.found(process, facts) ?? "it holds";
  }
}

function all(parts: readonly Condition[]): Condition {
  return new All(parts);
}

function any(choices: readonly Condition[]): Condition {
  const text = `any of (${choices.map((choice) => choice.text).join("; ")})`;
  const any = new Single(
    loosest(choices),
    text,
    choices.flatMap(({ needs }) => needs),
    (process, facts) => choices.some((choice) => choice.test(process, facts)),
    (process, facts) => choices.map((choice) => choice.found(process, facts)).join("; "),
  );
  // One of the choices may hold but for what our hobbling takes away.
  any.failure = (process, facts, held) => (choices.some((choice) => choice.failure(process, facts, held) === undefined) ? undefined : any);
  return any;
}

function not(inner: Condition): Condition {
  return new Single(
    inner.nature === "fixed" ? "fixed" : "varying",
    `not (${inner.text})`,
    inner.needs,
    (process, facts) => !inner.test(process, facts),
    () => `it is so: ${inner.text}`,
  );
}

function loosest(parts: readonly Condition[]): Nature {
  return order[Math.max(0, ...parts.map(({ nature }) => order.indexOf(nature)))] ?? "varying";
}

function conditionsOf(match: Match): Condition[] {
  const conditions: Condition[] = [];
  const add = (condition: Condition | undefined) => condition !== undefined && conditions.push(condition);
  add(textual("user", ["user"], match.user));
  add(match.uid && numbers("uid", ["user"], match.uid, (process) => process.uid));
  add(match.group && groupMember(match.group));
  add(match.session && numbers("session", [], match.session, (process) => process.session));
  add(textual("name", [], match.name));
  add(textual("executable", ["executable"], match.executable));
  add(textual("cgroup", ["cgroup"], match.cgroup));
  add(match.container && inContainer(match.container));
  add(match.command && command(match));
  if (match.niceAbove !== undefined) add(niceAbove(match.niceAbove));
  if (match.niceBelow !== undefined) add(niceBelow(match.niceBelow));
  add(match.not && not(conditionOf(match.not)));
  add(match.any && any(match.any.map(conditionOf)));
  for (const inner of match.all ?? []) add(conditionOf(inner));
  add(listed("cgroupProcs", match.cgroupProcs));
  add(listed("pidFile", match.pidFile));
  if (match.olderThan !== undefined) add(older(match.olderThan));
  if (match.youngerThan !== undefined) add(younger(match.youngerThan));
  if (match.threadsAbove !== undefined) add(threads(match.threadsAbove));
  if (match.memoryAbove !== undefined) add(memory(match.memoryAbove));
  if (match.cpuSecondsAbove !== undefined) add(cpuSeconds(match.cpuSecondsAbove));
  add(match.parent && relative("parent", match.parent));
  add(match.ancestor && relative("ancestor", match.ancestor));
  if (match.cpuAbove !== undefined) add(cpuAbove(match.cpuAbove, match.cpuOver ?? 0));
  return conditions;
}

/** A text that many processes share is tried once. */
class Remembered {
  readonly #test: (text: string) => boolean;
  readonly #results = new Map<string, boolean>();

  constructor(globs: readonly string[]) {
    const testers = globs.map(globTester);
    this.#test = (text) => testers.some((test) => test(text));
  }

  test(text: string): boolean {
    let result = this.#results.get(text);
    if (result === undefined) {
      result = this.#test(text);
      if (this.#results.size > 4096) this.#results.clear();
      this.#results.set(text, result);
    }
    return result;
  }
}

function list(words: readonly string[]): string {
  return words.map((word) => JSON.stringify(word)).join(", ");
}

function textual(name: IndexedField, needs: readonly ProcessText[], globs: readonly string[] | undefined): Condition | undefined {
  if (globs === undefined) return undefined;
  const remembered = new Remembered(globs);
  const condition = new Single(
    "fixed",
    `${name} ${list(globs)}`,
    needs,
    (process) => remembered.test(process[name]),
    (process) => (process[name] === "" ? `its ${name} is not known (not permitted to read it)` : `it is ${JSON.stringify(process[name])}`),
  );
  indexed.set(condition, { field: name, globs });
  return condition;
}

function numbers(
  name: string,
  needs: readonly ProcessText[],
  ranges: readonly Range[],
  numberOf: (process: ProcessInfo) => number,
): Condition {
  return new Single(
    "fixed",
    `${name} ${ranges.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(", ")}`,
    needs,
    (process) => {
      const number = numberOf(process);
      return ranges.some(({ from, to }) => number >= from && number <= to);
    },
    (process) => `it is ${numberOf(process)}`,
  );
}

function groupMember(globs: readonly string[]): Condition {
  const remembered = new Remembered(globs);
  return new Single(
    "fixed",
    `group ${list(globs)}`,
    ["groups"],
    ({ groups }) => groups.split(",").some((group) => remembered.test(group)),
    ({ groups }) => `its groups are ${groups}`,
  );
}

/** Docker, containerd, CRI-O and podman name a cgroup after the 64 hexadecimal digits of a container's id; LXC and systemd-nspawn after its name. */
export function containerOf(cgroup: string): string | undefined {
  const [, id] = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/.exec(cgroup) ?? [];
  if (id !== undefined) return id;
  const [, lxc] = /\/(?:lxc\.payload\.|lxc\/)([^/]+)/.exec(cgroup) ?? [];
  if (lxc !== undefined) return lxc;
  const [, machine] = /\/(?:machine-|systemd-nspawn@)([^/]+?)\.(?:scope|service)(?:\/|$)/.exec(cgroup) ?? [];
  return machine;
}

function inContainer(globs: readonly string[]): Condition {
  const testers = globs.map(globTester);
  return new Single(
    "fixed",
    `container ${list(globs)}`,
    ["cgroup"],
    ({ cgroup }) => {
      const container = containerOf(cgroup);
      // Short ids, as most tools print them.
      return container !== undefined && testers.some((test) => test(container) || test(container.slice(0, 12)));
    },
    ({ cgroup }) => {
      const container = containerOf(cgroup);
      return container === undefined ? "it is in no container" : `it is in ${container.slice(0, 12)}`;
    },
  );
}

function command({ command: patterns = [] }: Match): Condition {
  const condition = new Single(
    "fixed",
    `command ${patterns.map(({ source }) => JSON.stringify(source)).join(", ")}`,
    ["commandLine"],
    ({ commandLine }) => patterns.some((pattern) => pattern.test(commandLine)),
    ({ commandLine }) => `it is ${JSON.stringify(commandLine.slice(0, 200))}`,
  );
  const needed = patterns.map((pattern) => pattern.needed);
  if (needed.every((text) => text !== undefined)) neededTexts.set(condition, needed);
  return condition;
}

function niceAbove(least: number): Condition {
  return new Single(
    "fixed",
    `niceAbove ${least}`,
    [],
    ({ nice }) => nice > least,
    ({ nice }) => `its nice value is ${nice}`,
  );
}

function niceBelow(most: number): Condition {
  return new Single(
    "fixed",
    `niceBelow ${most}`,
    [],
    ({ nice }) => nice < most,
    ({ nice }) => `its nice value is ${nice}`,
  );
}

function listed(name: string, path: string | undefined): Condition | undefined {
  if (path === undefined) return undefined;
  return new Single(
    "varying",
    `${name} ${JSON.stringify(path)}`,
    [],
    ({ pid }, facts) => facts.list(path)?.has(pid) ?? false,
    (_, facts) => (facts.list(path) === undefined ? "the list could not be read" : "it is not on the list"),
  );
}

const tickNs = 1e7;

function ageNs({ startTime }: ProcessInfo, { nowNs }: Facts): number {
  return nowNs - startTime * tickNs;
}

function older(leastNs: number): Condition {
  return new Single(
    "varying",
    `olderThan ${formatLong(leastNs)}`,
    [],
    (process, facts) => ageNs(process, facts) > leastNs,
    (process, facts) => `it is ${formatLong(ageNs(process, facts))} old`,
  );
}

function younger(mostNs: number): Condition {
  return new Single(
    "varying",
    `youngerThan ${formatLong(mostNs)}`,
    [],
    (process, facts) => ageNs(process, facts) < mostNs,
    (process, facts) => `it is ${formatLong(ageNs(process, facts))} old`,
  );
}

function threads(most: number): Condition {
  return new Single(
    "varying",
    `threadsAbove ${most}`,
    [],
    (process) => process.threads > most,
    (process) => `it has ${process.threads}`,
  );
}

function memory(mostBytes: number): Condition {
  return new Single(
    "varying",
    `memoryAbove ${formatMegabytes(mostBytes)}`,
    [],
    ({ residentBytes }) => residentBytes > mostBytes,
    ({ residentBytes }) => `it uses ${formatMegabytes(residentBytes)}`,
  );
}

function formatMegabytes(bytes: number): string {
  return `${Number((bytes / 1e6).toPrecision(3))} MB`;
}

function cpuSeconds(most: number): Condition {
  return new Single(
    "varying",
    `cpuSecondsAbove ${most}`,
    [],
    ({ cpuNs }) => cpuNs > most * 1e9,
    ({ cpuNs }) => `it has used ${Number((cpuNs / 1e9).toPrecision(3))} s`,
  );
}

function cpuAbove(most: number, overNs: number): Condition {
  const over = overNs === 0 ? "" : ` over ${formatLong(overNs)}`;
  return new Single(
    "throttled",
    `cpuAbove ${formatCpus(most)}${over}`,
    [],
    (process, facts) => (facts.cpuShare(process, overNs) ?? 0) > most,
    (process, facts) => {
      const share = facts.cpuShare(process, overNs);
      return share === undefined ? "not known before the next scan" : `it uses ${formatCpus(share)}`;
    },
  );
}

/** `parent`: by name, or by executable where a pattern begins with "/". */
function relative(name: "parent" | "ancestor", globs: readonly string[]): Condition {
  const names = new Remembered(globs.filter((glob) => !glob.startsWith("/")));
  const paths = new Remembered(globs.filter((glob) => glob.startsWith("/")));
  const fits = ({ name, executable }: ProcessInfo) => names.test(name) || (executable !== "" && paths.test(executable));
  return new Single(
    "varying",
    `${name} ${list(globs)}`,
    globs.some((glob) => glob.startsWith("/")) ? ["executable"] : [],
    (process, facts) => {
      for (const related of ancestorsOf(process, facts.processes)) {
        if (fits(related)) return true;
        if (name === "parent") return false;
      }
      return false;
    },
    (process, facts) => {
      const lineage = [...ancestorsOf(process, facts.processes)].map((related) => related.name);
      if (lineage.length === 0) return "it has none that may be seen";
      return name === "parent" ? `it is ${JSON.stringify(lineage[0])}` : `they are ${list(lineage)}`;
    },
  );
}

/** From its parent upwards. Each at most once: what was read at different moments may contain a ring. */
export function* ancestorsOf(process: ProcessInfo, processes: ReadonlyMap<number, ProcessInfo>): Generator<ProcessInfo, void> {
  const seen = new Set([process.pid]);
  let at = processes.get(process.parentPid);
  while (at !== undefined && !seen.has(at.pid)) {
    yield at;
    seen.add(at.pid);
    at = processes.get(at.parentPid);
  }
}
