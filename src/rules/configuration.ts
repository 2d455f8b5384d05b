/** A configuration, read from a file and from conf.d beside it, checked as a whole. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import type { ConfigurationProblem } from "../daemon/supervisor.js";
import type { ProcessText } from "../discovery/process-info.js";
import { notFromPs } from "../discovery/ps-list.js";
import { conditionOf, everyListOf, listsOf, longestOver } from "./conditions.js";
import type { RuleSet } from "./engine.js";
import { nearest } from "./nearest.js";
import { problemAt, schemaProblems } from "./problems.js";
import type { Quota } from "./quota.js";
import { quotaOf } from "./quota.js";
import type { Amount, Rule } from "./rule.js";
import {
  type EngineSettings,
  type MainFile,
  mainFile,
  type NotifySettings,
  type PartFile,
  type PoolSettings,
  partFile,
  type RuleSettings,
} from "./schema.js";
import { type Document, type Path, parseDocument } from "./toml.js";

export interface DaemonSettings {
  /** Path of the control socket; undefined = the usual place. */
  readonly socket: string | undefined;
  readonly scanNs: number;
  readonly source: "auto" | "proc" | "ps-list";
  readonly events: "auto" | "off";
  /** Where quotas and escalations are kept; undefined = the usual place. */
  readonly state: string | undefined;
  readonly adminGroup: string | undefined;
  /** HOST:PORT on the loopback, or undefined. */
  readonly metrics: string | undefined;
  /** Whether a change of the file is taken over by itself. */
  readonly watchFile: boolean;
}

export interface Notifier {
  readonly name: string;
  readonly command: readonly string[] | undefined;
  readonly url: string | undefined;
  /** At most once in this time for each user, ns. */
  readonly everyNs: number;
  readonly on: readonly ("entry" | "escalation" | "release")[];
}

export interface Configuration {
  readonly file: string | null;
  /** Everything that was read, in this order. */
  readonly files: readonly string[];
  readonly daemon: DaemonSettings;
  readonly engine: EngineSettings;
  readonly ruleSet: RuleSet;
  readonly quotas: readonly Quota[];
  readonly pools: ReadonlyMap<string, PoolSettings>;
  readonly notifiers: ReadonlyMap<string, Notifier>;
  /** Paths of all lists that rules look at. */
  readonly lists: readonly string[];
  /** What a source must read. */
  readonly needs: ReadonlySet<ProcessText>;
}

export type Loaded =
  | { readonly configuration: Configuration; readonly problems: readonly [] }
  | { readonly configuration?: undefined; readonly problems: readonly ConfigurationProblem[] };

/** Reads `file` and `conf.d/*.toml` beside it. Never throws: what is wrong is in `problems`. */
export async function loadConfiguration(file: string): Promise<Loaded> {
  const folder = join(dirname(file), "conf.d");
  let names: string[] = [];
  try {
    names = await readdir(folder);
  } catch (error) {
    // There need be none; but rules that cannot be seen are not rules that are not there.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") return { problems: [{ file: folder, line: null, column: null, message: reasonOf(error) }] };
  }
  const parts = names.filter((name) => name.endsWith(".toml") && !name.startsWith(".")).sort();
  const sources: { file: string; text: string }[] = [];
  for (const path of [file, ...parts.map((name) => join(folder, name))]) {
    try {
      sources.push({ file: path, text: decode(await readFile(path)) });
    } catch (error) {
      return { problems: [{ file: path, line: null, column: null, message: reasonOf(error) }] };
    }
  }
  return readConfiguration(sources);
}

function decode(content: Buffer): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(content);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "not permitted to read it";
  if (code === "ENOTDIR") return "this is not a directory";
  if (code === "EISDIR") return "this is a directory; give the file in it";
  return code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "the file is not text in UTF-8" : message;
}

interface Part {
  readonly document: Document;
  readonly content: MainFile | PartFile;
}

/** The same from texts; the first is the main file. */
export function readConfiguration(sources: readonly { readonly file: string; readonly text: string }[]): Loaded {
  const problems: ConfigurationProblem[] = [];
  const parts: Part[] = [];
  for (const [index, { file, text }] of sources.entries()) {
    const document = parseDocument(file, text);
    if ("message" in document) {
      problems.push(document);
      continue;
    }
    const listed = (["pool", "notify"] as const).filter((key) => Array.isArray(document.value[key]));
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

function entriesOf<Key extends "rule" | "quota">(parts: readonly Part[], key: Key) {
  return parts.flatMap(({ document, content }) =>
    (content[key] ?? []).map((settings, index) => ({
      document,
      settings: settings as NonNullable<PartFile[Key]>[number],
      path: [key, index] as Path,
    })),
  );
}

function namedOf<Key extends "pool" | "notify">(parts: readonly Part[], key: Key) {
  return parts.flatMap(({ document, content }) =>
    Object.entries(content[key] ?? {}).map(([name, settings]) => ({
      document,
      name,
      settings: settings as NonNullable<PartFile[Key]>[string],
      path: [key, name] as Path,
    })),
  );
}

/** What no single value shows: names given twice, names of what does not exist, settings that do not go together. */
function crossChecked(parts: readonly Part[]): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = [];
  const rules = entriesOf(parts, "rule");
  const quotas = entriesOf(parts, "quota");
  const pools = namedOf(parts, "pool");
  const notifiers = namedOf(parts, "notify");
  const seen = new Map<string, string>();
  const once = (kind: string, name: string, document: Document, path: Path) => {
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

  const known = (kind: string, names: readonly string[], name: string | undefined, document: Document, path: Path) => {
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

function assemble(parts: readonly Part[]): Configuration {
  const main = parts[0]?.content as MainFile | undefined;
  const daemon = main?.daemon ?? {};
  const ruleSettings = entriesOf(parts, "rule").map(({ settings }) => settings);
  const quotas = entriesOf(parts, "quota").map(({ settings }, index) => quotaOf(settings, index));
  const matches = [...ruleSettings.map(({ match }) => match), ...entriesOf(parts, "quota").flatMap(({ settings }) => settings.match ?? [])];
  const rules = ruleSettings.map(ruleOf);
  const overs = matches.map(longestOver).filter((over) => over !== undefined);
  const needs = new Set<ProcessText>([...rules.flatMap(({ condition }) => condition.needs), ...quotas.flatMap(({ needs }) => needs)]);
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

function ruleOf({ name, mode, match, when, hobble, recover, escalate, notify }: RuleSettings): Rule {
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
    amount: amount satisfies Amount,
    tree: tree ?? false,
    lists,
    recover: recovery === undefined ? undefined : { afterNs: recovery.after ?? 0, unthrottledForNs: recovery.unthrottledFor ?? 0 },
    escalate: escalate ?? [],
    notify,
  };
}

function notifierOf(name: string, { command, url, every, on }: NotifySettings): Notifier {
  return { name, command, url, everyNs: every ?? 12 * hourNs, on: on ?? ["entry", "escalation", "release"] };
}
