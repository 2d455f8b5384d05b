/** Tells people: runs a program, or posts to an address. */
import { execFile } from "node:child_process";
import type { Notifier } from "../rules/configuration.js";
import type { Decision } from "./supervisor.js";

/** What is told, as JSON on the program's standard input or as the body of the request. */
export interface Notification {
  readonly moment: "entry" | "escalation" | "release";
  readonly decision: Decision;
}

const patienceMs = 30_000;
/** A rule that matches a thousand processes of a thousand users must not start a thousand programs at once. */
const mostAtOnce = 4;
const mostWaiting = 1000;

export class Notifications {
  readonly #problem: (message: string) => void;
  /** By notifier and user, ms since the epoch. */
  #last = new Map<string, number>();
  #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  readonly #over = new AbortController();

  constructor(problem: (message: string) => void) {
    this.#problem = problem;
  }

  restore(last: Readonly<Record<string, number>>): void {
    this.#last = new Map(Object.entries(last));
  }

  state(nowMs: number): Record<string, number> {
    for (const [key, at] of this.#last) if (nowMs - at > 400 * 86_400_000) this.#last.delete(key);
    return Object.fromEntries(this.#last);
  }

  /** Those that wait are dropped, those under way are broken off: somebody may wait for the daemon to end. */
  close(): void {
    this.#waiting = [];
    this.#over.abort();
  }

  tell(notifier: Notifier, notification: Notification, nowMs: number): void {
    if (this.#over.signal.aborted) return;
    const { moment, decision } = notification;
    if (!notifier.on.includes(moment)) return;
    const key = `${notifier.name} ${decision.user ?? ""}`;
    const last = this.#last.get(key);
    if (last !== undefined && nowMs - last < notifier.everyNs / 1e6) return;
    if (this.#waiting.length >= mostWaiting) {
      this.#problem(`notify ${notifier.name}: too many are waiting, this one is dropped`);
      return;
    }
    this.#last.set(key, nowMs);
    this.#waiting.push(() =>
      send(notifier, notification, this.#over.signal).catch((error: Error) => this.#problem(`notify ${notifier.name}: ${error.message}`)),
    );
    this.#next();
  }

  #next(): void {
    if (this.#running >= mostAtOnce) return;
    const send = this.#waiting.shift();
    if (send === undefined) return;
    this.#running++;
    void send().finally(() => {
      this.#running--;
      this.#next();
    });
  }
}

function send({ command, url }: Notifier, notification: Notification, over: AbortSignal): Promise<void> {
  const body = `${JSON.stringify(notification)}\n`;
  return url === undefined ? run(command ?? [], notification, body, over) : post(url, body, over);
}

/** Never through a shell: names of processes are chosen by their users. */
function run(
  [program = "", ...args]: readonly string[],
  { moment, decision }: Notification,
  body: string,
  over: AbortSignal,
): Promise<void> {
  const env = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOBBLE_MOMENT: moment,
    HOBBLE_USER: decision.user ?? "",
    HOBBLE_PID: String(decision.pid ?? ""),
    HOBBLE_NAME: decision.name ?? "",
    HOBBLE_RULE: decision.by ?? "",
    HOBBLE_REASON: decision.reason,
    HOBBLE_UNTIL: decision.untilAt === null ? "" : new Date(decision.untilAt).toISOString(),
  };
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { env, timeout: patienceMs, killSignal: "SIGKILL", signal: over, maxBuffer: 64 * 1024 },
      (error) => {
        if (error === null) resolve();
        else
          reject(
            new Error(`${program} failed: ${error.killed ? `it took longer than ${patienceMs / 1000} s` : error.message.split("\n")[0]}`),
          );
      },
    );
    child.stdin?.on("error", () => {}); // it may not want to read it
    child.stdin?.end(body);
  });
}

async function post(url: string, body: string, over: AbortSignal): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, {
    method: "POST",
    headers,
    body,
    signal: AbortSignal.any([over, AbortSignal.timeout(patienceMs)]),
    redirect: "error",
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}
