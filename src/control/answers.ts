/** How the daemon answers: JSON, errors with a code, and lists in pieces, so that ten thousand targets do not hold up the event loop. */
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { HobbleError, type HobbleErrorCode } from "../errors.js";

/** About 1 ms of work. */
const targetsAtOnce = 250;

const httpStatus: Record<HobbleErrorCode, number> = {
  EINVAL: 400,
  EPERM: 403,
  ERR_PROTECTED: 403,
  ESRCH: 404,
  ERR_BUSY: 409,
  ERR_IDENTITY: 409,
  EMFILE: 503,
  ERR_OVERLOAD: 503,
  ERR_CLOSED: 503,
  ERR_RUNTIME_DIR: 500,
  ERR_NO_DAEMON: 500,
  ERR_SOCKET: 500,
  ERR_UNSUPPORTED: 501,
};

export function answerJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
}

/** `{ "targets": […] }`, written as the client takes it. */
export async function answerTargets(response: ServerResponse, targets: readonly unknown[]): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"targets":[');
  for (let at = 0; at < targets.length && !response.destroyed; at += targetsAtOnce) {
    const piece = targets.slice(at, at + targetsAtOnce).map((target) => JSON.stringify(target));
    const flowing = response.write((at === 0 ? "" : ",") + piece.join(","));
    if (flowing) await nextTurn();
    else await drained(response);
  }
  response.end("]}\n");
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

export function answerError(response: ServerResponse, error: unknown): void {
  const known = error instanceof HobbleError;
  const code = known ? error.code : "ERR_INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  const pid = known && error.pid !== undefined ? { pid: error.pid } : {};
  answerFailure(response, known ? httpStatus[error.code] : 500, code, message, pid);
}

export function answerFailure(response: ServerResponse, status: number, code: string, message: string, more: { pid?: number } = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify({ error: { code, message, ...more } })}\n`);
}
