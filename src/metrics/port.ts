/** `/metrics` on a loopback port, for a Prometheus that cannot read a Unix socket. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { closed, refusesPipelined } from "../control/http.js";
import { HobbleError } from "../errors.js";

/** A scraper has one connection, or two while it is restarted. */
const mostConnections = 16;
const requestWithinMs = 5000;
/** Also of a reader that does not read. */
const idleWithinMs = 60_000;
/** Every local user may connect: who asks more often gets the same text again. */
const keptMs = 500;

export interface MetricsPort {
  /** The one that was obtained: `127.0.0.1:0` asks for any. */
  readonly port: number;
  close(): Promise<void>;
}

/** @throws HobbleError `ERR_SOCKET` */
export async function listenForScrapes(address: string, metrics: () => string): Promise<MetricsPort> {
  let text = "";
  let textAt = Number.NEGATIVE_INFINITY;
  const recently = () => {
    if (performance.now() - textAt > keptMs) {
      text = metrics();
      textAt = performance.now();
    }
    return text;
  };
  const server = createServer({ requestTimeout: requestWithinMs, headersTimeout: requestWithinMs }, (request, response) => {
    if (refusesPipelined(request, response)) return;
    const found = request.method === "GET" && request.url?.split("?")[0] === "/metrics";
    response.writeHead(found ? 200 : 404, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(found ? recently() : "only GET /metrics is answered here\n");
  });
  server.maxConnections = mostConnections;
  server.timeout = idleWithinMs;
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new HobbleError(
          "ERR_SOCKET",
          `metrics cannot be served on ${address} (${error.code ?? error.message}); choose another [daemon] metrics`,
        ),
      ),
    );
    server.listen(Number(address.slice(at + 1)), host, () => resolve());
  });
  // Of accept(2), when descriptors are used up.
  server.on("error", () => {});
  // A scrape must not keep a daemon alive that is done.
  server.unref();
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}
