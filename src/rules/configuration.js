/** A configuration, read from a file and from conf.d beside it, checked as a whole. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { notFromPs } from "../discovery/ps-list.js";
import { conditionOf, everyListOf, listsOf, longestOver } from "./conditions.js";
import { nearest } from "./nearest.js";
import { problemAt, schemaProblems } from "./problems.js";
import { quotaOf } from "./quota.js";
import { mainFile, partFile } from "./schema.js";
import { parseDocument } from "./toml.js";
/** Reads `file` and `conf.d/*.toml` beside it. Never throws: what is wrong is in `problems`. */
export async function loadConfiguration(file) {
  const folder = join(dirname(file), "conf.d");
  const names = await readdir(folder).catch(() => []);
  const parts = names.filter((name) => name.endsWith(".toml") && !name.startsWith(".")).sort();
  const sources = [];
  for (const path of [file, ...parts.map((name) => join(folder, name))]) {
    try {
      sources.push({ file: path, text: decode(await readFile(path)) });
    } catch (error) {
      return { problems: [{ file: path, line: null, column: null, message: reasonOf(error) }] };
    }
  }
  return readConfiguration(sources);
}
function decode(content) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(content);
}
function reasonOf(error) {
  const { code, message } = error;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "not permitted to read it";
  if (code === "EISDIR") return "this is a directory; give the file in it";
  return code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "the file is not text in UTF-8" : message;
}
/** The same from texts; the first is the main file. */
export function readConfiguration(sources) {
  const problems = [];
  const parts = [];
  for (const [index, { file, text }] of sources.entries()) {
    const document = parseDocument(file, text);
    if ("message" in document) {
      problems.push(document);
      continue;
    }
    const listed = ["pool", "notify"].filter((key) => Array.isArray(document.value[key]));
    problems.push(
      ...listed.map((key) => problemAt(document, [key], `write [${key}.NAME], a table with a name of its own, not [[${key}]]`)),
    );
    if (listed.length > 0) continue;
    const schema = index === 0 ? mainFile : partFile;
    const result = v.safeParse(schema, document.value);
    if (result.success) parts.push({ document, content: result.output });
    else problems.push(...schemaProblems(document, schema, result.issues));
  }
  if (problems.length > 0) return { problems };
  problems.push(...crossChecked(parts));
  if (problems.length > 0) return { problems };
  return { configuration: assemble(parts), problems: [] };
}
function entriesOf(parts, key) {
  return parts.flatMap(({ document, content }) =>
    (content[key] ?? []).map((settings, index) => ({
      document,
      settings: settings,
      path: [key, index],
    })),
  );
}
function namedOf(parts, key) {
  return parts.flatMap(({ document, content }) =>
    Object.entries(content[key] ?? {}).map(([name, settings]) => ({
      document,
      name,
      settings: settings,
      path: [key, name],
    })),
  );
}
/** What no single value shows: names given twice, names of what does not exist, settings that do not go together. */
function crossChecked(parts) {
  const problems = [];
  const rules = entriesOf(parts, "rule");
  const quotas = entriesOf(parts, "quota");
  const pools = namedOf(parts, "pool");
  const notifiers = namedOf(parts, "notify");
  const seen = new Map();
  const once = (kind, name, document, path) => {
    const key = `${kind} ${name}`;
    const before = seen.get(key);
    const { line } = document.place(path);
    if (before !== undefined)
      problems.push(problemAt(document, path, `the name "${name}" is taken by ${before}; give this ${kind.split(" ")[0]} another`));
    else seen.set(key, `the one in ${document.file}, line ${line}`);
  };
  // Rules and quotas share their names: decisions, metrics and `hobble ls` tell of them in one column.
  for (const { settings, document, path } of rules) once("rule or quota", settings.name, document, [...path, "name"]);
  for (const { settings, document, path } of quotas)
    if (settings.name !== undefined) once("rule or quota", settings.name, document, [...path, "name"]);
  for (const { name, document, path } of pools) once("pool", name, document, path);
  for (const { name, document, path } of notifiers) once("notify", name, document, path);
  const known = (kind, names, name, document, path) => {
    if (name === undefined || names.includes(name)) return;
    const meant = nearest(name, names);
    const advice =
      meant !== undefined
        ? `; did you mean "${meant}"?`
        : names.length === 0
          ? `; add [${kind}.${name}]`
          : `; there are ${names.join(", ")}`;
    problems.push(problemAt(document, path, `there is no ${kind} "${name}"${advice}`));
  };
  const poolNames = pools.map(({ name }) => name);
  const notifyNames = notifiers.map(({ name }) => name);
  for (const { settings, document, path } of rules) {
    known("pool", poolNames, settings.hobble.pool, document, [...path, "hobble", "pool"]);
    for (const [step, { pool }] of (settings.escalate ?? []).entries())
      known("pool", poolNames, pool, document, [...path, "escalate", step, "pool"]);
    known("notify", notifyNames, settings.notify, document, [...path, "notify"]);
    if (settings.recover?.unthrottledFor !== undefined && listsOf(settings.match).length > 0) {
      const message = "a rule that follows a list lets go of what leaves the list; it cannot have recover.unthrottledFor";
      problems.push(problemAt(document, [...path, "recover"], message));
    }
  }
  for (const { settings, document, path } of quotas) {
    for (const [step, { pool }] of settings.tiers.entries()) known("pool", poolNames, pool, document, [...path, "tiers", step, "pool"]);
    known("notify", notifyNames, settings.notify, document, [...path, "notify"]);
  }
  const main = parts[0];
  if (main !== undefined && "daemon" in main.content && main.content.daemon?.source === "ps-list") {
    for (const { settings, document, path } of [...rules, ...quotas]) {
      if (settings.match === undefined) continue;
      const missing = conditionOf(settings.match).needs.find((need) => notFromPs.includes(need));
      const nice = settings.match.niceAbove ?? settings.match.niceBelow;
      if (missing === undefined && nice === undefined) continue;
      const what = missing === "groups" ? "groups" : missing === "cgroup" ? "cgroups and containers" : "nice values";
      problems.push(
        problemAt(document, [...path, "match"], `source "ps-list" does not tell ${what}; use source = "proc", or another condition`),
      );
    }
  }
  return problems.sort((a, b) => a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
const hourNs = 3600e9;
function assemble(parts) {
  const main = parts[0]?.content;
  const daemon = main?.daemon ?? {};
  const ruleSettings = entriesOf(parts, "rule").map(({ settings }) => settings);
  const quotas = entriesOf(parts, "quota").map(({ settings }, index) => quotaOf(settings, index));
  const matches = [...ruleSettings.map(({ match }) => match), ...entriesOf(parts, "quota").flatMap(({ settings }) => settings.match ?? [])];
  const rules = ruleSettings.map(ruleOf);
  const overs = matches.map(longestOver).filter((over) => over !== undefined);
  const needs = new Set([...rules.flatMap(({ condition }) => condition.needs), ...quotas.flatMap(({ needs }) => needs)]);
  // Whose a process is, `hobble ls` and its rights ask of every target.
  needs.add("user");
  const pools = new Map(namedOf(parts, "pool").map(({ name, settings }) => [name, settings]));
  return {
    file: parts[0]?.document.file ?? null,
    files: parts.map(({ document }) => document.file),
    daemon: {
      socket: daemon.socket,
      scanNs: daemon.scan ?? 2e9,
      source: daemon.source ?? "auto",
      events: daemon.events ?? "auto",
      state: daemon.state,
      adminGroup: daemon.adminGroup,
      metrics: daemon.metrics,
      watchFile: daemon.watchFile ?? true,
    },
    engine: main?.engine ?? {},
    ruleSet: { rules, combine: daemon.combine ?? "first", pools, cpuOverNs: overs.length === 0 ? undefined : Math.max(...overs) },
    quotas,
    pools,
    notifiers: new Map(namedOf(parts, "notify").map(({ name, settings }) => [name, notifierOf(name, settings)])),
    lists: [...new Set(matches.flatMap(everyListOf))],
    needs,
  };
}
function ruleOf({ name, mode, match, when, hobble, recover, escalate, notify }) {
  const { tree, ...amount } = hobble;
  const condition = conditionOf(match);
  const lists = listsOf(match);
  // What hobbling makes untrue (a share of CPU) cannot end it: without `recover` such a rule lets go after a minute without demand.
  const usual = condition.nature === "throttled" ? { after: 0, unthrottledFor: 60e9 } : undefined;
  const recovery = recover ?? usual;
  return {
    name,
    mode: mode ?? "hobble",
    condition,
    forNs: match.for ?? 0,
    when: when === undefined ? undefined : { cpu: when.cpuPressure, memory: when.memoryPressure, io: when.ioPressure },
    amount: amount,
    tree: tree ?? false,
    lists,
    recover: recovery === undefined ? undefined : { afterNs: recovery.after ?? 0, unthrottledForNs: recovery.unthrottledFor ?? 0 },
    escalate: escalate ?? [],
    notify,
  };
}
function notifierOf(name, { command, url, every, on }) {
  return { name, command, url, everyNs: every ?? 12 * hourNs, on: on ?? ["entry", "escalation", "release"] };
}
