import { globTester } from "./glob.js";
import { formatCpus, formatLong } from "./units.js";
/** All that `match` asks; what is cheap and rules most processes out comes first. */
export function conditionOf(match) {
  const parts = conditionsOf(match).sort((a, b) => order.indexOf(a.nature) - order.indexOf(b.nature));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : all(parts);
}
const order = ["fixed", "varying", "throttled"];
/** The parts that must all hold. */
export function partsOf(condition) {
  return condition instanceof All ? condition.parts : [condition];
}
const indexed = new WeakMap();
/** What an index of rules needs to know to try this condition for all processes at once; undefined where it cannot. */
export function indexedOf(condition) {
  return indexed.get(condition);
}
/** The longest time that a share of CPU is looked at over, ns; undefined where none is. */
export function longestOver(match) {
  const inner = [...(match.any ?? []), ...(match.all ?? []), ...(match.not === undefined ? [] : [match.not])].map(longestOver);
  const own = match.cpuAbove === undefined ? undefined : (match.cpuOver ?? 0);
  const known = [own, ...inner].filter((over) => over !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
/** Paths of the lists that `match` looks at, where it would not match without them being so: not those under `not`. */
export function listsOf(match) {
  const own = [match.cgroupProcs, match.pidFile].filter((path) => path !== undefined);
  return [...own, ...[...(match.any ?? []), ...(match.all ?? [])].flatMap(listsOf)];
}
/** All lists, also those under `not`. */
export function everyListOf(match) {
  return [
    ...listsOf({ ...match, any: [], all: [] }),
    ...[...(match.any ?? []), ...(match.all ?? [])].flatMap(everyListOf),
    ...(match.not ? everyListOf(match.not) : []),
  ];
}
class Single {
  nature;
  text;
  needs;
  test;
  found;
  constructor(nature, text, needs, test, found) {
    this.nature = nature;
    this.text = text;
    this.needs = needs;
    this.test = test;
    this.found = found;
  }
  failure(process, facts, held) {
    return (held && this.nature === "throttled") || this.test(process, facts) ? undefined : this;
  }
}
class All {
  nature;
  text;
  needs;
  parts;
  constructor(parts) {
    this.parts = parts;
    this.nature = loosest(parts);
    this.text = parts.map(({ text }) => text).join(", ");
    this.needs = parts.flatMap(({ needs }) => needs);
  }
  test(process, facts) {
    for (const part of this.parts) if (!part.test(process, facts)) return false;
    return true;
  }
  failure(process, facts, held) {
    for (const part of this.parts) {
      const failed = part.failure(process, facts, held);
      if (failed !== undefined) return failed;
    }
    return undefined;
  }
  found(process, facts) {
    return this.failure(process, facts, false)?.found(process, facts) ?? "it holds";
  }
}
function all(parts) {
  return new All(parts);
}
function any(choices) {
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
function not(inner) {
  return new Single(
    inner.nature === "fixed" ? "fixed" : "varying",
    `not (${inner.text})`,
    inner.needs,
    (process, facts) => !inner.test(process, facts),
    () => `it is so: ${inner.text}`,
  );
}
function loosest(parts) {
  return order[Math.max(0, ...parts.map(({ nature }) => order.indexOf(nature)))] ?? "varying";
}
function conditionsOf(match) {
  const conditions = [];
  const add = (condition) => condition !== undefined && conditions.push(condition);
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
  #test;
  #results = new Map();
  constructor(globs) {
    const testers = globs.map(globTester);
    this.#test = (text) => testers.some((test) => test(text));
  }
  test(text) {
    let result = this.#results.get(text);
    if (result === undefined) {
      result = this.#test(text);
      if (this.#results.size > 4096) this.#results.clear();
      this.#results.set(text, result);
    }
    return result;
  }
}
function list(words) {
  return words.map((word) => JSON.stringify(word)).join(", ");
}
function textual(name, needs, globs) {
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
function numbers(name, needs, ranges, numberOf) {
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
function groupMember(globs) {
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
export function containerOf(cgroup) {
  const [, id] = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/.exec(cgroup) ?? [];
  if (id !== undefined) return id;
  const [, lxc] = /\/(?:lxc\.payload\.|lxc\/)([^/]+)/.exec(cgroup) ?? [];
  if (lxc !== undefined) return lxc;
  const [, machine] = /\/(?:machine-|systemd-nspawn@)([^/]+?)\.(?:scope|service)(?:\/|$)/.exec(cgroup) ?? [];
  return machine;
}
function inContainer(globs) {
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
function command({ command: patterns = [] }) {
  return new Single(
    "fixed",
    `command ${patterns.map(({ source }) => JSON.stringify(source)).join(", ")}`,
    ["commandLine"],
    ({ commandLine }) => patterns.some((pattern) => pattern.test(commandLine)),
    ({ commandLine }) => `it is ${JSON.stringify(commandLine.slice(0, 200))}`,
  );
}
function niceAbove(least) {
  return new Single(
    "fixed",
    `niceAbove ${least}`,
    [],
    ({ nice }) => nice > least,
    ({ nice }) => `its nice value is ${nice}`,
  );
}
function niceBelow(most) {
  return new Single(
    "fixed",
    `niceBelow ${most}`,
    [],
    ({ nice }) => nice < most,
    ({ nice }) => `its nice value is ${nice}`,
  );
}
function listed(name, path) {
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
function ageNs({ startTime }, { nowNs }) {
  return nowNs - startTime * tickNs;
}
function older(leastNs) {
  return new Single(
    "varying",
    `olderThan ${formatLong(leastNs)}`,
    [],
    (process, facts) => ageNs(process, facts) > leastNs,
    (process, facts) => `it is ${formatLong(ageNs(process, facts))} old`,
  );
}
function younger(mostNs) {
  return new Single(
    "varying",
    `youngerThan ${formatLong(mostNs)}`,
    [],
    (process, facts) => ageNs(process, facts) < mostNs,
    (process, facts) => `it is ${formatLong(ageNs(process, facts))} old`,
  );
}
function threads(most) {
  return new Single(
    "varying",
    `threadsAbove ${most}`,
    [],
    (process) => process.threads > most,
    (process) => `it has ${process.threads}`,
  );
}
function memory(mostBytes) {
  return new Single(
    "varying",
    `memoryAbove ${formatMegabytes(mostBytes)}`,
    [],
    ({ residentBytes }) => residentBytes > mostBytes,
    ({ residentBytes }) => `it uses ${formatMegabytes(residentBytes)}`,
  );
}
function formatMegabytes(bytes) {
  return `${Number((bytes / 1e6).toPrecision(3))} MB`;
}
function cpuSeconds(most) {
  return new Single(
    "varying",
    `cpuSecondsAbove ${most}`,
    [],
    ({ cpuNs }) => cpuNs > most * 1e9,
    ({ cpuNs }) => `it has used ${Number((cpuNs / 1e9).toPrecision(3))} s`,
  );
}
function cpuAbove(most, overNs) {
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
function relative(name, globs) {
  const names = new Remembered(globs.filter((glob) => !glob.startsWith("/")));
  const paths = new Remembered(globs.filter((glob) => glob.startsWith("/")));
  const fits = ({ name, executable }) => names.test(name) || (executable !== "" && paths.test(executable));
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
export function* ancestorsOf(process, processes) {
  const seen = new Set([process.pid]);
  let at = processes.get(process.parentPid);
  while (at !== undefined && !seen.has(at.pid)) {
    yield at;
    seen.add(at.pid);
    at = processes.get(at.parentPid);
  }
}
