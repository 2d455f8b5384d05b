/**
 * The daemon's control socket: HTTP and JSON. Here requests are bounded, understood and handed on; what they mean is in routes.ts, who may what in
 * access.ts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { check } from "../check.js";
import type { Caller, Supervisor } from "../daemon/supervisor.js";
import { HobbleError } from "../errors.js";
import { requireAdmin } from "./access.js";
import { answerError, answerFailure, answerJson, answerTargets } from "./answers.js";
import { answerEvents } from "./events.js";
import { closed, refusesPipelined } from "./http.js";
import { type Admins, callerOf } from "./peer.js";
import { type Route, routes } from "./routes.js";
import { eventsQuery, pidText } from "./schemas.js";
import { type PlacedSocket, placeSocket } from "./socket.js";

const largestBodyBytes = 64 * 1024;
const requestWithinMs = 10_000;
/** Also of a reader that does not read. */
const idleWithinMs = 60_000;
const mostConnections = 2048;
/** So that no user keeps the others out. */
const mostConnectionsOfAUser = 256;
/** One user may have many accounts (subordinate IDs): so many are left for the admins. */
const keptForAdmins = 64;
const lookEveryMs = 2000;

export interface ControlOptions {
  readonly path: string;
  /** Of the socket. 0o666 lets every user ask about processes of their own. */
  readonly mode: number;
  readonly admins: Admins;
  readonly supervisor: Supervisor;
  /** Prometheus text. */
  readonly metrics: () => string;
  /** What the operator should know: the socket was deleted and made anew, an internal error. */
  readonly warn: (message: string) => void;
}

export class ControlServer {
  readonly #options: ControlOptions;
  readonly #connections = new Map<number, number>();
  #server: Server;
  /** Those that still have connections, beside the one that listens. */
  readonly #servers = new Set<Server>();
  #ofOthers = 0;
  #closing = false;
  #placed: PlacedSocket | undefined;
  #looks: NodeJS.Timeout | undefined;

  private constructor(options: ControlOptions) {
    this.#options = options;
    this.#server = this.#createServer();
  }

  /** @throws HobbleError `ERR_SOCKET` */
  static async listen(options: ControlOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    control.#placed = await placeSocket(control.#server, options.path, options.mode);
    control.#looks = setInterval(() => void control.#look(), lookEveryMs);
    return control;
  }

  /** Answers nobody any more, and takes the socket away. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#looks);
    this.#placed?.remove();
    this.#placed = undefined;
    await Promise.all([...this.#servers].map(closed));
  }

  #createServer(): Server {
    const server = createServer({ requestTimeout: requestWithinMs, headersTimeout: requestWithinMs, connectionsCheckingInterval: 1000 });
    server.maxConnections = mostConnections;
    server.timeout = idleWithinMs;
    this.#servers.add(server);
    server.on("close", () => this.#servers.delete(server));
    // Of accept(2), when descriptors are used up: whoever asks then is not answered, but the daemon goes on.
    server.on("error", (error) => this.#options.warn(`a connection could not be taken: ${error.message}`));
    server.on("connection", (socket) => this.#connected(socket));
    server.on("request", (request, response) => void this.#answer(request, response));
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      const status =
        error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
            ? "408 Request Timeout"
            : "400 Bad Request";
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      else socket.destroy();
    });
    return server;
  }

  #connected(socket: Socket): void {
    let caller: Caller;
    try {
      caller = callerOf(socket, this.#options.admins);
    } catch {
      socket.destroy();
      return;
    }
    const open = (this.#connections.get(caller.uid) ?? 0) + 1;
    const full = open > mostConnectionsOfAUser || this.#ofOthers >= mostConnections - keptForAdmins;
    if (!caller.admin && full) {
      socket.destroy();
      return;
    }
    this.#connections.set(caller.uid, open);
    callers.set(socket, caller);
    if (!caller.admin) this.#ofOthers++;
    socket.on("close", () => {
      if (!caller.admin) this.#ofOthers--;
      const left = (this.#connections.get(caller.uid) ?? 1) - 1;
      if (left > 0) this.#connections.set(caller.uid, left);
      else this.#connections.delete(caller.uid);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (refusesPipelined(request, response)) return;
    const caller = callers.get(request.socket);
    try {
      if (caller === undefined) throw new HobbleError("EPERM", "it cannot be told who asks");
      await this.#dispatch(request, response, caller);
    } catch (error) {
      if (error instanceof RequestError) answerFailure(response, error.status, "EINVAL", error.message);
      else answerError(response, error);
      // Whatever is left of the request is not read.
      if (!request.complete) response.once("finish", () => request.destroy());
      if (!(error instanceof HobbleError || error instanceof RequestError))
        this.#options.warn(`${request.method} ${request.url}: ${(error as Error).stack ?? error}`);
    }
  }

  async #dispatch(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    const { supervisor, metrics } = this.#options;
    const { path, query } = parseUrl(request.url ?? "");
    if (path === "/metrics" || path === "/v1/events") {
      if (request.method !== "GET") throw new RequestError(405, `${path} is only for GET`);
      if (path === "/metrics") {
        requireAdmin(caller, "the metrics");
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
        response.end(metrics());
      } else {
        const { after, follow, pid } = check(eventsQuery, query, "the query");
        if (follow === "true") request.socket.setTimeout(0);
        answerEvents(response, supervisor, caller, { after, follow: follow === "true", pid });
      }
      return;
    }
    const { route, pid } = findRoute(request.method ?? "", path);
    if (route.access === "admin")
      requireAdmin(
        caller,
        route.summary.replace(/^./, (letter) => letter.toLowerCase()),
      );
    const asked = {
      caller,
      supervisor,
      pid,
      query: check(route.query, query, "the query"),
      body: check(route.body, await readBody(request), "the body"),
    };
    const answer = await route.handle(asked);
    if (route.path === "/v1/targets" && route.method === "GET") await answerTargets(response, (answer as { targets: unknown[] }).targets);
    else answerJson(response, answer);
  }

  /** Somebody may delete the socket, or all of /run. Nobody could ask for `off` then. */
  async #look(): Promise<void> {
    const { path, mode, warn } = this.#options;
    if (this.#placed === undefined || this.#placed.isThere()) return;
    this.#placed = undefined;
    const old = this.#server;
    const server = this.#createServer();
    try {
      const placed = await placeSocket(server, path, mode);
      this.#server = server;
      if (this.#closing) {
        placed.remove();
        await closed(server);
        return;
      }
      this.#placed = placed;
      warn(`the socket ${path} was gone; made anew`);
      // Those that are connected are served to the end.
      old.close();
      old.closeIdleConnections();
    } catch (error) {
      this.#servers.delete(server);
      warn(`the socket ${path} is gone and cannot be made anew: ${(error as Error).message}`);
      this.#placed = { isThere: () => false, remove: () => {} };
    }
  }
}

/** Kept beside the connection: its peer cannot change while it lasts. */
const callers = new WeakMap<Socket, Caller>();

class RequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function parseUrl(text: string): { path: string; query: Record<string, string> } {
  let url: URL;
  try {
    url = new URL(text, "http://hobble");
  } catch {
    throw new RequestError(400, "the address cannot be understood");
  }
  return { path: url.pathname, query: Object.fromEntries(url.searchParams) };
}

function findRoute(method: string, path: string): { route: Route; pid: number } {
  const parts = path.split("/");
  const fits = ({ path: pattern }: Route) => {
    const wanted = pattern.split("/");
    return wanted.length === parts.length && wanted.every((part, at) => part === ":pid" || part === parts[at]);
  };
  const fitting = routes.filter(fits);
  const route = fitting.find((candidate) => candidate.method === method);
  if (route !== undefined) {
    const at = route.path.split("/").indexOf(":pid");
    return { route, pid: at < 0 ? 0 : check(pidText, parts[at], "the PID") };
  }
  if (fitting.length === 0) throw new RequestError(404, `there is nothing at ${path}`);
  throw new RequestError(405, `${path} is only for ${fitting.map((candidate) => candidate.method).join(", ")}`);
}

/** `{}` where there is none. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const body = await bytesOf(request);
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new RequestError(400, `the body is no JSON: ${(error as Error).message}`);
  }
}

/** Not with `for await`: that would destroy the connection, and with it the answer that says why. */
function bytesOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      bytes += piece.length;
      pieces.push(piece);
      if (bytes <= largestBodyBytes) return;
      request.pause();
      reject(new RequestError(413, `a request's body may have ${largestBodyBytes} bytes at most`));
    });
    request.on("end", () => resolve(Buffer.concat(pieces)));
    request.on("error", reject);
    request.on("close", () => reject(new RequestError(400, "the request was not complete")));
  });
}
