/** What goes over the socket, both ways: the server checks requests with it, and the OpenAPI document is made from it. */
import * as v from "valibot";
import { durationIn, oneOf, wholeNumber } from "../check.js";
import { cpuLimitMust, cpus, twoReadings } from "../cpu-limit.js";

const maxPid = 2 ** 22;
const minWindowNs = 100e3;
const maxWindowNs = 3600e9;
const pidMust = `a PID (a whole number from 1 to ${maxPid})`;

const windowLength = durationIn(minWindowNs, maxWindowNs, 'a duration from 100 us to 1 h, such as "10ms"');
/** CPUs: 0.05, "5%" of one CPU. */
const cpuLimit = v.pipe(
  v.unknown(),
  v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
    const limit = cpus(dataset.value);
    if (limit !== undefined) return limit;
    addIssue({ message: twoReadings(dataset.value) ?? cpuLimitMust });
    return NEVER;
  }),
);

const shortText = (must: string) => v.pipe(v.string(must), v.minLength(1, must), v.maxLength(200, must), v.regex(/^[^\p{Cc}]*$/u, must));

export const addBody = v.strictObject(
  {
    pid: wholeNumber(1, maxPid, pidMust),
    kind: v.optional(oneOf("process", "tree", "group"), "process"),
    run: v.optional(windowLength),
    stop: v.optional(windowLength),
    limit: v.optional(cpuLimit),
    pool: v.optional(shortText("the name of a pool")),
    for: v.optional(durationIn(1e6, Number.MAX_SAFE_INTEGER, 'a duration of at least 1 ms, such as "10m"')),
    reason: v.optional(shortText("a text of one line, up to 200 characters")),
  },
  "an object",
);

/** Numbers in a path or query are text. */
const numberText = (min: number, max: number, must: string) =>
  v.pipe(v.string(must), v.regex(/^\d{1,16}$/, must), v.transform(Number), v.minValue(min, must), v.maxValue(max, must));

export const pidText = numberText(1, maxPid, pidMust);
export const noParameters = v.strictObject({}, "an object");
export const listQuery = v.strictObject(
  {
    user: v.optional(shortText("the name of a user, or a uid")),
    by: v.optional(shortText("the name of a rule or quota, or of a user")),
    name: v.optional(shortText("a part of a program's name")),
  },
  "an object",
);
export const eventsQuery = v.strictObject(
  {
    after: v.optional(numberText(0, Number.MAX_SAFE_INTEGER, "the sequence number of an event"), "0"),
    follow: v.optional(oneOf("true", "false"), "false"),
    pid: v.optional(pidText),
  },
  "an object",
);

const nullable = <Schema extends v.GenericSchema>(schema: Schema) => v.nullable(schema);
const number = v.number();
const text = v.string();
const asked = { runNs: nullable(number), stopNs: nullable(number), limit: nullable(number), pool: nullable(text) };
const origin = v.picklist(["rule", "quota", "hand"]);

export const targetReport = v.object({
  ...asked,
  pid: number,
  kind: text,
  parentPid: number,
  name: text,
  uid: number,
  user: text,
  origin,
  by: text,
  byUid: nullable(number),
  byAdmin: nullable(v.boolean()),
  reason: text,
  tier: number,
  sinceAt: number,
  untilAt: nullable(number),
  state: text,
  members: number,
  dutyAsked: nullable(number),
  dutyAchieved: nullable(number),
  cpu: nullable(number),
  cpuSeconds: nullable(number),
  cycles: number,
  signals: number,
  skippedWindows: number,
  deferredWindows: number,
  runErrorP99Ns: number,
});

export const decision = v.object({
  sequence: number,
  at: number,
  kind: text,
  pid: nullable(number),
  name: nullable(text),
  uid: nullable(number),
  user: nullable(text),
  origin: nullable(origin),
  by: nullable(text),
  reason: text,
  asked: nullable(v.object(asked)),
  untilAt: nullable(number),
});

const ruleTrial = v.object({
  rule: text,
  mode: v.picklist(["hobble", "watch"]),
  outcome: v.picklist(["applies", "waiting", "shadowed", "failed"]),
  condition: nullable(text),
  sinceAt: nullable(number),
});

const quotaStanding = v.object({
  quota: text,
  per: text,
  key: text,
  usedCpuSeconds: number,
  allowedCpuSeconds: number,
  tier: number,
  exempt: v.boolean(),
  renewsAt: nullable(number),
  decaysAt: nullable(number),
});

export const explanation = v.object({
  pid: number,
  name: text,
  uid: number,
  user: text,
  target: nullable(targetReport),
  protected: nullable(text),
  rules: v.array(ruleTrial),
  quotas: v.array(quotaStanding),
  history: v.array(decision),
});

const offState = nullable(v.object({ sinceAt: number, by: text }));

export const targetList = v.object({ targets: v.array(targetReport) });
export const status = v.object({
  version: text,
  uid: number,
  user: text,
  admin: v.boolean(),
  off: offState,
  targets: v.array(targetReport),
  quotas: v.array(quotaStanding),
});

export const reloadResult = v.object({
  applied: v.boolean(),
  problems: v.array(v.object({ file: text, line: nullable(number), column: nullable(number), message: text })),
  rules: number,
  quotas: number,
});

/** The engine's figures are those of docs/api.md. */
export const daemonStats = v.looseObject({
  version: text,
  pid: number,
  startedAt: number,
  configuration: nullable(text),
  loadedAt: number,
  off: offState,
  rules: v.array(v.looseObject({ rule: text })),
  scan: v.looseObject({ source: text }),
  decisions: v.record(text, number),
  engine: v.looseObject({ targets: number }),
});

export const switched = v.object({ off: offState });
export const removed = v.object({ pid: number });
export const failure = v.object({ error: v.object({ code: text, message: text, pid: v.optional(number) }) });
