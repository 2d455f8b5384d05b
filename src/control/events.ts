/** The stream of decisions: one JSON object on a line for each, those remembered first, then, if followed, each as it is made. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Caller, Decision, Supervisor } from "../daemon/supervisor.js";
import { maySee } from "./access.js";

/** A reader that does not read is cut off rather than remembered for. */
const mostUnreadBytes = 1 << 20;
const heartbeatMs = 15_000;
const linesAtOnce = 100;

export interface EventsAsked {
  readonly after: number;
  readonly follow: boolean;
  readonly pid: number | undefined;
}

export function answerEvents(response: ServerResponse, supervisor: Supervisor, caller: Caller, asked: EventsAsked): void {
  const wanted = ({ sequence, uid, pid }: Decision) => {
    const visible = uid === null ? caller.admin : maySee(caller, uid);
    return visible && sequence > asked.after && (asked.pid === undefined || pid === asked.pid);
  };
  const line = (decision: Decision) => `${JSON.stringify(decision)}\n`;
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const history = sendHistory(response, supervisor.decisions().filter(wanted), line);
  if (!asked.follow) {
    void history.then(() => response.end());
    return;
  }
  response.flushHeaders();
  /** What comes before the history has been read. */
  let later: string | undefined = "";
  const write = (text: string) => {
    if (later === undefined) response.write(text);
    else later += text;
    if (response.writableLength + (later?.length ?? 0) > mostUnreadBytes) response.destroy();
  };
  void history.then(() => {
    const waiting = later ?? "";
    later = undefined;
    if (waiting !== "" && !response.destroyed) write(waiting);
  });
  const end = supervisor.subscribe((decision) => {
    if (wanted(decision)) write(line(decision));
  });
  // An empty line shows both sides that the other is there.
  const heartbeat = setInterval(() => write("\n"), heartbeatMs);
  heartbeat.unref();
  response.on("close", () => {
    end();
    clearInterval(heartbeat);
  });
}

/** As fast as it is read, and no faster: a thousand readers that do not read would take gigabytes. Resolves too when the reader has gone. */
async function sendHistory(response: ServerResponse, decisions: readonly Decision[], line: (decision: Decision) => string): Promise<void> {
  for (let at = 0; at < decisions.length && !response.destroyed; at += linesAtOnce) {
    if (
      response.write(
        decisions
          .slice(at, at + linesAtOnce)
          .map(line)
          .join(""),
      )
    )
      continue;
    const over = new AbortController();
    const { signal } = over;
    await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).catch(() => {});
    over.abort();
  }
}
