/** What a configuration file may say. What the parts mean is in docs/configuration.md; `hobble check FILE` tells what is wrong with one. */
import * as v from "valibot";
import {
  absolutePath,
  anyDuration,
  choice,
  duration,
  flag,
  limit,
  name,
  pressure,
  scanInterval,
  someDuration,
  texts,
  whole,
  window,
} from "./fields.js";
import { ruleMatch } from "./schema-match.js";

const table = "a table";

const loopbackMust = 'a loopback address and port, such as "127.0.0.1:9464"';
const daemon = v.strictObject(
  {
    socket: v.optional(absolutePath),
    scan: v.optional(scanInterval),
    source: v.optional(choice("auto", "proc", "ps-list")),
    events: v.optional(choice("auto", "off")),
    combine: v.optional(choice("first", "strictest")),
    state: v.optional(absolutePath),
    adminGroup: v.optional(v.pipe(v.string("the name of a group"), v.minLength(1, "the name of a group"))),
    metrics: v.optional(v.pipe(v.string(loopbackMust), v.regex(/^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/, loopbackMust))),
    watchFile: v.optional(flag),
  },
  table,
);

/** The options of a Hobbler; their ranges are checked there too. */
const shareMust = "a share above 0 and at most 1";
const concurrencyMust = '"auto", "none" or a whole number from 1';
const executablesMust = "a list of absolute paths of executables";
const engine = v.strictObject(
  {
    realtime: v.optional(choice("auto", "require", "off")),
    priority: v.optional(whole(1, 98, "a whole number from 1 to 98")),
    cpu: v.optional(whole(0, 1023, "the number of a CPU")),
    precision: v.optional(choice("tight", "balanced", "economy")),
    concurrency: v.optional(v.union([choice("auto", "none"), whole(1, 1e6, concurrencyMust)], concurrencyMust)),
    maxShare: v.optional(v.pipe(v.number(shareMust), v.gtValue(0, shareMust), v.maxValue(1, shareMust))),
    guardian: v.optional(choice("auto", "require", "off")),
    foreignStops: v.optional(choice("respect", "ignore")),
    protect: v.optional(v.array(v.pipe(v.string(executablesMust), v.regex(/^\/[^\0]*$/, executablesMust)), executablesMust)),
    protectUsual: v.optional(flag),
    runtimeDir: v.optional(absolutePath),
  },
  table,
);

const amount = { run: v.optional(window), stop: v.optional(window), limit: v.optional(limit), pool: v.optional(name) };

interface Amount {
  run?: number | undefined;
  stop?: number | undefined;
  limit?: number | undefined;
  pool?: string | undefined;
}

const isWhole = ({ run, stop }: Amount): boolean => (run === undefined) === (stop === undefined);
const wholeMust = "a cycle with both run and stop";
const isOneKind = ({ run, limit }: Amount): boolean => run === undefined || limit === undefined;
const oneKindMust = "either a cycle (run and stop) or a limit, not both";
const isSomething = ({ run, stop, limit, pool }: Amount): boolean => (run ?? stop ?? limit ?? pool) !== undefined;
const somethingMust = 'a table with a cycle (run and stop), a limit or a pool, such as { limit = "5%" }';

const hobble = v.pipe(
  v.strictObject({ ...amount, tree: v.optional(flag) }, 'a table such as { limit = "5%" }'),
  v.check((given) => isWhole(given), wholeMust),
  v.check((given) => isOneKind(given), oneKindMust),
  v.check((given) => isSomething(given), somethingMust),
);

const escalation = v.pipe(
  v.strictObject({ ...amount, after: someDuration }, 'a table such as { after = "10m", limit = "2%" }'),
  v.check((given) => isWhole(given), wholeMust),
  v.check((given) => isOneKind(given), oneKindMust),
  v.check((given) => isSomething(given), somethingMust),
);

const ascending = "a list in which each after is longer than the one before";
const escalations = v.pipe(
  v.array(escalation, 'a list such as [{ after = "10m", limit = "2%" }]'),
  v.minLength(1, 'a list such as [{ after = "10m", limit = "2%" }]'),
  v.check((steps) => steps.every(({ after }, at) => at === 0 || after > (steps[at - 1]?.after ?? 0)), ascending),
);

const recover = v.pipe(
  v.strictObject({ after: v.optional(anyDuration), unthrottledFor: v.optional(anyDuration) }, 'a table such as { unthrottledFor = "60s" }'),
  v.check((given) => Object.keys(given).length > 0, "a table with after or unthrottledFor, or both"),
);

const when = v.pipe(
  v.strictObject(
    { cpuPressure: v.optional(pressure), memoryPressure: v.optional(pressure), ioPressure: v.optional(pressure) },
    'a table such as { cpuPressure = "10%" }',
  ),
  v.check((given) => Object.keys(given).length > 0, "a table with cpuPressure, memoryPressure or ioPressure"),
);

const rule = v.strictObject(
  {
    name,
    mode: v.optional(choice("hobble", "watch")),
    match: ruleMatch,
    when: v.optional(when),
    hobble,
    recover: v.optional(recover),
    escalate: v.optional(escalations),
    notify: v.optional(name),
  },
  table,
);

const poolConcurrency = "a whole number from 1";
const pool = v.strictObject(
  { limit, concurrency: v.optional(whole(1, 1e6, poolConcurrency)), open: v.optional(flag) },
  "a table such as { limit = 0.5 }",
);

const tier = v.pipe(
  v.strictObject(amount, 'a table such as { limit = "50%" }'),
  v.check((given) => isWhole(given), wholeMust),
  v.check((given) => isOneKind(given), oneKindMust),
  v.check((given) => isSomething(given), somethingMust),
);
const tiersMust = 'a list of at least one tier, such as [{ limit = "50%" }, { limit = "20%" }]';
const secondsMust = "CPU seconds, a number above 0";
const quota = v.strictObject(
  {
    name: v.optional(name),
    mode: v.optional(choice("hobble", "watch")),
    per: choice("user", "cgroup", "command"),
    match: v.optional(ruleMatch),
    cpuSeconds: v.pipe(v.number(secondsMust), v.gtValue(0, secondsMust)),
    every: duration(60e9, 400 * 86_400e9, 'a duration from 1 minute to 400 days, such as "1d"'),
    window: v.optional(choice("calendar", "sliding")),
    exempt: v.optional(texts('a name, or a list of names; "*" stands for any text')),
    tiers: v.pipe(v.array(tier, tiersMust), v.minLength(1, tiersMust)),
    decay: v.optional(someDuration),
    notify: v.optional(name),
  },
  table,
);

const commandMust = 'a list: the absolute path of a program, then its arguments, such as ["/usr/local/bin/tell", "hobble"]';
const urlMust = 'an address such as "https://example.org/hook"';
const notify = v.pipe(
  v.strictObject(
    {
      command: v.optional(
        v.pipe(
          v.array(v.string(commandMust), commandMust),
          v.check((words) => /^\/[^\0]*$/.test(words[0] ?? "") && words.every((word) => !word.includes("\0")), commandMust),
        ),
      ),
      url: v.optional(v.pipe(v.string(urlMust), v.url(urlMust), v.regex(/^https?:/, urlMust))),
      every: v.optional(anyDuration),
      on: v.optional(v.pipe(v.array(choice("entry", "escalation", "release")), v.minLength(1, "a list of at least one moment"))),
    },
    'a table such as { command = ["/usr/local/bin/tell"] }',
  ),
  v.check(({ command, url }) => (command === undefined) !== (url === undefined), "a table with a command or a url, one of them"),
);

const rulesMust = "written as [[rule]]: a list of tables";
const quotasMust = "written as [[quota]]: a list of tables";
const shared = {
  rule: v.optional(v.array(rule, rulesMust)),
  pool: v.optional(v.record(name, pool, "written as [pool.NAME]: a table of tables")),
  quota: v.optional(v.array(quota, quotasMust)),
  notify: v.optional(v.record(name, notify, "written as [notify.NAME]: a table of tables")),
};

/** The main file. */
export const mainFile = v.strictObject({ daemon: v.optional(daemon), engine: v.optional(engine), ...shared }, table);
/** A file of conf.d. */
export const partFile = v.strictObject(shared, table);

export type MainFile = v.InferOutput<typeof mainFile>;
export type PartFile = v.InferOutput<typeof partFile>;
export type RuleSettings = v.InferOutput<typeof rule>;
export type QuotaSettings = v.InferOutput<typeof quota>;
export type PoolSettings = v.InferOutput<typeof pool>;
export type NotifySettings = v.InferOutput<typeof notify>;
export type EngineSettings = v.InferOutput<typeof engine>;
