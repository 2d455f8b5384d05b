/** What the control socket and the port for scrapes have in common. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/**
 * Ends the connection of a request that came before the one ahead of it was answered (pipelining), and says so. Its response has no connection yet,
 * and if that closes is never told: what was begun for it would stay for ever.
 */
export function refusesPipelined(request: IncomingMessage, response: ServerResponse): boolean {
  if (response.socket !== null) return false;
  request.socket.destroy();
  return true;
}

/** Ends a server with its connections. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
