/** Talks to a daemon: what the commands use, and programs may. */
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { DaemonStats, Decision, Explanation, QuotaStanding, ReloadResult, TargetReport } from "../daemon/supervisor.js";
import type { Duration } from "../duration.js";
import { HobbleError, type HobbleErrorCode } from "../errors.js";
import type { TargetKindName } from "../target-stats.js";
import { systemSocketPath } from "./paths.js";

export interface ClientOptions {
  /** Path of the daemon's socket. Default: /run/hobble/hobble.sock. */
  socket?: string | undefined;
  /** How long an answer may take, ms. Default 10,000. */
  timeoutMs?: number | undefined;
}

/** Targets of this user (name or uid), imposed by this rule, quota or user, whose program's name contains this text. */
export interface TargetFilter {
  user?: string | undefined;
  by?: string | undefined;
  name?: string | undefined;
}

export interface AddOptions {
  pid: number;
  kind?: TargetKindName | undefined;
  run?: Duration | undefined;
  stop?: Duration | undefined;
  /** CPUs, or "5%" of one. */
  limit?: number | string | undefined;
  /** Of the configuration. */
  pool?: string | undefined;
  /** Lifted after this time. Default: never. */
  for?: Duration | undefined;
  reason?: string | undefined;
}

export interface EventOptions {
  /** Only those after this sequence number. */
  after?: number | undefined;
  /** Go on as they come. Default false: those that the daemon remembers. */
  follow?: boolean | undefined;
  pid?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface Status {
  version: string;
  uid: number;
  user: string;
  admin: boolean;
  off: { sinceAt: number; by: string } | null;
  /** The caller's own. */
  targets: TargetReport[];
  quotas: QuotaStanding[];
}

/**
 * A connection to a daemon, made when it is needed and kept for a while. Every method throws HobbleError: what the daemon says, or `ERR_NO_DAEMON` where none
 * answers.
 */
export class HobbleClient implements Disposable {
  readonly socket: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timeoutMs: number;

  constructor({ socket = systemSocketPath, timeoutMs = 10_000 }: ClientOptions = {}) {
    this.socket = socket;
    this.#timeoutMs = timeoutMs;
  }

  status(): Promise<Status> {
    return this.#ask("GET", "/v1/status");
  }

  /** In the order of their PIDs; a user who is no admin sees those of their own processes. */
  async targets(filter: TargetFilter = {}): Promise<TargetReport[]> {
    const { targets } = await this.#ask<{ targets: TargetReport[] }>("GET", `/v1/targets${query({ ...filter })}`);
    return targets;
  }

  target(pid: number): Promise<TargetReport> {
    return this.#ask("GET", `/v1/targets/${pid}`);
  }

  /** Hobbles a process. Resolves when its first signal was sent. */
  add(options: AddOptions): Promise<TargetReport> {
    return this.#ask("POST", "/v1/targets", options);
  }

  /** Lifts a target. Resolves when its processes run. */
  async remove(pid: number): Promise<void> {
    await this.#ask("DELETE", `/v1/targets/${pid}`);
  }

  /** Why it is hobbled, or not. */
  explain(pid: number): Promise<Explanation> {
    return this.#ask("GET", `/v1/processes/${pid}`);
  }

  /** Everything runs, and goes on running until `on`. */
  async off(): Promise<void> {
    await this.#ask("POST", "/v1/off");
  }

  async on(): Promise<void> {
    await this.#ask("POST", "/v1/on");
  }

  reload(): Promise<ReloadResult> {
    return this.#ask("POST", "/v1/reload");
  }

  stats(): Promise<DaemonStats> {
    return this.#ask("GET", "/v1/stats");
  }

  /** Prometheus text. */
  async metrics(): Promise<string> {
    return text(await this.#send("GET", "/metrics"));
  }

  /** Decisions, oldest first. With `follow` it ends when the daemon does, or when aborted. */
  async *events({ after, follow, pid, signal }: EventOptions = {}): AsyncGenerator<Decision, void, undefined> {
    const response = await this.#send("GET", `/v1/events${query({ after, follow, pid })}`);
    if (follow) response.socket.setTimeout(0);
    const cut = () => response.destroy();
    signal?.addEventListener("abort", cut, { once: true });
    if (signal?.aborted) cut();
    try {
      for await (const line of linesOf(response)) {
        if (line !== "") yield JSON.parse(line);
      }
    } catch (error) {
      // A daemon that ends cuts off those who follow.
      const { code } = error as NodeJS.ErrnoException;
      const cutOff = follow && (code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE");
      if (!cutOff && !signal?.aborted) throw error;
    } finally {
      signal?.removeEventListener("abort", cut);
      response.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    return JSON.parse(await text(await this.#send(method, path, body)));
  }

  /** The answer, once it is known to be a good one. */
  async #send(method: string, path: string, body?: object): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asking = request({ socketPath: this.socket, agent: this.#agent, method, path, headers, timeout: this.#timeoutMs });
    const answer = this.#answer(asking);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
    const response = await answer;
    if (response.statusCode === 200) return response;
    throw failure(await text(response), response.statusCode);
  }

  #answer(asking: ClientRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      asking.on("response", resolve);
      asking.on("timeout", () => asking.destroy(new Error(`it did not answer within ${this.#timeoutMs} ms`)));
      asking.on("error", (cause: NodeJS.ErrnoException) => reject(this.#unreachable(cause)));
    });
  }

  #unreachable(cause: NodeJS.ErrnoException): HobbleError {
    if (cause.code === "EACCES") {
      const advice = "ask whoever runs it, or run your own: hobble daemon --user";
      return new HobbleError("EPERM", `you are not permitted to connect to ${this.socket}; ${advice}`, { cause });
    }
    const none = cause.code === "ENOENT" || cause.code === "ECONNREFUSED";
    const why = none ? "is none running? start it with: hobble daemon" : cause.message;
    return new HobbleError("ERR_NO_DAEMON", `no daemon answers at ${this.socket}: ${why}`, { cause });
  }
}

function query(parameters: Record<string, string | number | boolean | undefined>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== false) given.set(name, String(value));
  }
  return given.size === 0 ? "" : `?${given}`;
}

/** Not with node:readline, which waits for ever when its input is destroyed. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const piece of response.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function text(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

function failure(body: string, status: number | undefined): HobbleError {
  try {
    const { code, message, pid } = (JSON.parse(body) as { error: { code: HobbleErrorCode; message: string; pid?: number } }).error;
    return new HobbleError(code, message, pid === undefined ? {} : { pid });
  } catch {
    return new HobbleError("ERR_NO_DAEMON", `what answers is no daemon of hobble (HTTP status ${status})`);
  }
}
