/** The stream of decisions: one JSON object on a line for each, those remembered first, then, if followed, each as it is made. */
import type { ServerResponse } from "node:http";
import type { Caller, Decision, Supervisor } from "../daemon/supervisor.js";
import { maySee } from "./access.js";

/** A reader that does not read is cut off rather than remembered for. */
const mostUnreadBytes = 1 << 20;
const heartbeatMs = 15_000;

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
  response.write(supervisor.decisions().filter(wanted).map(line).join(""));
  if (!asked.follow) {
    response.end();
    return;
  }
  response.flushHeaders();
  const write = (text: string) => {
    response.write(text);
    if (response.writableLength > mostUnreadBytes) response.destroy();
  };
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
