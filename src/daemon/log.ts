/** The daemon's log: one JSON object on a line for each decision, with its reason. Under journald with a priority, and without a second time stamp. */
import { fstatSync } from "node:fs";
import { type Logger, pino } from "pino";
import type { Decision, DecisionKind } from "./supervisor.js";

const warnings: ReadonlySet<DecisionKind> = new Set(["failed", "evaded", "warning", "off"]);

/** sd-daemon(3): journald takes the number for the priority and the rest for the message. */
const priorities: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

export class DaemonLog {
  readonly #logger: Logger;

  constructor(write: (text: string) => void, journald: boolean) {
    // pino tells a destination that asks so which level the line has.
    const destination = {
      [Symbol.for("pino.metadata")]: true,
      lastLevel: 30,
      write(line: string) {
        write(journald ? `<${priorities[this.lastLevel] ?? 6}>${line}` : line);
      },
    };
    this.#logger = pino(
      {
        base: null,
        timestamp: journald ? false : pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        messageKey: "message",
      },
      destination,
    );
  }

  decision(decision: Decision): void {
    const { sequence, at, kind, reason, ...about } = decision;
    const present = Object.fromEntries(Object.entries(about).filter(([, value]) => value !== null));
    this.#logger[warnings.has(kind) ? "warn" : "info"]({ event: kind, sequence, ...present }, reason);
  }

  info(event: string, message: string): void {
    this.#logger.info({ event }, message);
  }

  warn(message: string): void {
    this.#logger.warn({ event: "warning" }, message);
  }
}

/** JOURNAL_STREAM names the device and inode of the socket that journald reads (systemd.exec(5)). */
export function writesToJournal(fd: number): boolean {
  const stream = process.env.JOURNAL_STREAM;
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
