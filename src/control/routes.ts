/** What can be asked of the daemon, as a table: the server answers from it, and the OpenAPI document is made from it. */
import type * as v from "valibot";
import type { AddRequest, Caller, Supervisor, TargetReport } from "../daemon/supervisor.js";
import { HobbleError } from "../errors.js";
import { maySee, mostTargetsByHand, requireLifting, requireOwnership, requireSight } from "./access.js";
import { ownedProcess } from "./owner.js";
import * as schema from "./schemas.js";

type AnySchema = v.GenericSchema<unknown, unknown>;

interface RouteSpec<Query extends AnySchema, Body extends AnySchema> {
  readonly method: "GET" | "POST" | "DELETE";
  /** With at most one parameter, `:pid`. */
  readonly path: string;
  readonly summary: string;
  /** Who may: "admin", or "anyone" for what concerns processes of their own. */
  readonly access: "admin" | "anyone";
  readonly query: Query;
  readonly body: Body;
  readonly answer: AnySchema;
  handle(asked: Asked<v.InferOutput<Query>, v.InferOutput<Body>>): unknown;
}

export interface Asked<Query = unknown, Body = unknown> {
  readonly caller: Caller;
  readonly supervisor: Supervisor;
  /** 0 for a path without one. */
  readonly pid: number;
  readonly query: Query;
  readonly body: Body;
}

export type Route = RouteSpec<AnySchema, AnySchema>;

/** Checks that a handler fits the schemas, then forgets which they were: a table holds routes of all kinds. */
function route<Query extends AnySchema, Body extends AnySchema>(spec: RouteSpec<Query, Body>): Route {
  return spec as unknown as Route;
}

const { noParameters } = schema;

export const routes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/status",
    summary: "Who asks, whether everything is off, and the caller's own targets and quotas: am I hobbled, why, until when",
    access: "anyone",
    query: noParameters,
    body: noParameters,
    answer: schema.status,
    handle({ caller, supervisor }) {
      const { version, off } = supervisor.stats();
      const targets = supervisor.targets(caller.uid);
      return { version, uid: caller.uid, user: caller.user, admin: caller.admin, off, targets, quotas: supervisor.quotas(caller.uid) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/targets",
    summary: "The targets that the caller may see, in the order of their PIDs",
    access: "anyone",
    query: schema.listQuery,
    body: noParameters,
    answer: schema.targetList,
    handle({ caller, supervisor, query: { user, by, name } }) {
      const wanted = (target: TargetReport) =>
        maySee(caller, target.uid) &&
        (user === undefined || target.user === user || String(target.uid) === user) &&
        (by === undefined || target.by === by) &&
        (name === undefined || target.name.includes(name));
      return { targets: supervisor.targets(caller.admin ? undefined : caller.uid).filter(wanted) };
    },
  }),
  route({
    method: "POST",
    path: "/v1/targets",
    summary: "Hobble a process by hand. Answers when its first signal was sent",
    access: "anyone",
    query: noParameters,
    body: schema.addBody,
    answer: schema.targetReport,
    handle({ caller, supervisor, body }) {
      const seen = ownedProcess(body.pid);
      requireOwnership(caller, seen.uids, body.kind, body.pid);
      if (!caller.admin) requireRoom(supervisor, caller);
      return supervisor.add(addRequest(body, seen), caller);
    },
  }),
  route({
    method: "GET",
    path: "/v1/targets/:pid",
    summary: "One target",
    access: "anyone",
    query: noParameters,
    body: noParameters,
    answer: schema.targetReport,
    handle: ({ caller, supervisor, pid }) => visibleTarget(supervisor, caller, pid),
  }),
  route({
    method: "DELETE",
    path: "/v1/targets/:pid",
    summary: "Lift a target. Answers when its processes run",
    access: "anyone",
    query: noParameters,
    body: noParameters,
    answer: schema.removed,
    async handle({ caller, supervisor, pid }) {
      requireLifting(caller, visibleTarget(supervisor, caller, pid));
      await supervisor.remove(pid, caller);
      return { pid };
    },
  }),
  route({
    method: "GET",
    path: "/v1/processes/:pid",
    summary: "Why a process is hobbled, or not: the rules that were tried, which condition failed, since when, and what happened to it",
    access: "anyone",
    query: noParameters,
    body: noParameters,
    answer: schema.explanation,
    async handle({ caller, supervisor, pid }) {
      // The real uid: one's own setuid programs may be asked about.
      requireSight(caller, ownedProcess(pid).uids[0] ?? 0, pid);
      const explanation = await supervisor.explain(pid);
      requireSight(caller, explanation.uid, pid);
      return explanation;
    },
  }),
  route({
    method: "POST",
    path: "/v1/off",
    summary: "The big red button: everything runs at once, and goes on running",
    access: "admin",
    query: noParameters,
    body: noParameters,
    answer: schema.switched,
    async handle({ caller, supervisor }) {
      await supervisor.off(caller.user);
      return { off: supervisor.stats().off };
    },
  }),
  route({
    method: "POST",
    path: "/v1/on",
    summary: "Go on after off",
    access: "admin",
    query: noParameters,
    body: noParameters,
    answer: schema.switched,
    async handle({ caller, supervisor }) {
      await supervisor.on(caller.user);
      return { off: supervisor.stats().off };
    },
  }),
  route({
    method: "POST",
    path: "/v1/reload",
    summary: "Read the configuration again. If it has errors the old one stays in force",
    access: "admin",
    query: noParameters,
    body: noParameters,
    answer: schema.reloadResult,
    handle: ({ caller, supervisor }) => supervisor.reload(caller.user),
  }),
  route({
    method: "GET",
    path: "/v1/stats",
    summary: "Figures of the daemon and its engine",
    access: "admin",
    query: noParameters,
    body: noParameters,
    answer: schema.daemonStats,
    handle: ({ supervisor }) => supervisor.stats(),
  }),
];

function requireRoom(supervisor: Supervisor, caller: Caller): void {
  const count = supervisor.handCount(caller.uid);
  if (count < mostTargetsByHand) return;
  throw new HobbleError("ERR_OVERLOAD", `${caller.user} has ${count} targets by hand, which is the most; lift some first`);
}

/** What one may not see is not told apart from what is no target. */
function visibleTarget(supervisor: Supervisor, caller: Caller, pid: number): TargetReport {
  const target = supervisor.target(pid);
  if (target === undefined || !maySee(caller, target.uid)) throw new HobbleError("ESRCH", `process ${pid} is no target`, { pid });
  return target;
}

type AddBody = v.InferOutput<typeof schema.addBody>;

function addRequest(body: AddBody, { startTime, inode }: { startTime: number; inode: bigint }): AddRequest {
  const { pid, kind, run, stop, limit, pool, reason } = body;
  if ((run === undefined) !== (stop === undefined)) throw new HobbleError("EINVAL", "run and stop go together", { pid });
  if (run !== undefined && limit !== undefined) throw new HobbleError("EINVAL", "give run and stop, or limit, not both", { pid });
  if (run === undefined && limit === undefined && pool === undefined) {
    throw new HobbleError("EINVAL", "give run and stop, or limit, or pool", { pid });
  }
  const asked = { runNs: run ?? null, stopNs: stop ?? null, limit: limit ?? null, pool: pool ?? null };
  return { pid, kind, startTime, inode, ...asked, forNs: body.for ?? null, reason: reason ?? null };
}
