/** `/metrics` on a loopback port, for a Prometheus that cannot read a Unix socket. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { HobbleError } from "../errors.js";

/** A scraper has one connection, or two while it is restarted. */
const mostConnections = 16;
const requestWithinMs = 5000;

export interface MetricsPort {
  /** The one that was obtained: `127.0.0.1:0` asks for any. */
  readonly port: number;
  close(): Promise<void>;
}

/** @throws HobbleError `ERR_SOCKET` */
export async function listenForScrapes(address: string, metrics: () => string): Promise<MetricsPort> {
  const server = createServer({ requestTimeout: requestWithinMs, headersTimeout: requestWithinMs }, (request, response) => {
    const found = request.method === "GET" && request.url?.split("?")[0] === "/metrics";
    response.writeHead(found ? 200 : 404, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(found ? metrics() : "only GET /metrics is answered here\n");
  });
  server.maxConnections = mostConnections;
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
  // A scrape must not keep a daemon alive that is done.
  server.unref();
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
