/**
 * Standard output and error, written by helper threads and not by the event loop: a reader that does not read, or a terminal that stops the
 * background jobs that write to it (`stty tostop`), must not keep us from answering a signal by resuming everything.
 */
import { createWriteStream } from "node:fs";

const output = createWriteStream("", { fd: 1, autoClose: false });
const errors = createWriteStream("", { fd: 2, autoClose: false });
// A reader that went away (`| head`) is no reason to crash.
output.on("error", () => {});
errors.on("error", () => {});

export function print(text: string): void {
  output.write(text);
}

/** One JSON object on a line of its own. */
export function printJson(object: object): void {
  print(`${JSON.stringify(object)}\n`);
}

/** To standard error, as it is. */
export function printText(text: string): void {
  errors.write(text);
}

export function printError(message: string): void {
  errors.write(`hobble: ${message}\n`);
}

/** Resolves when nobody reads our output any more. */
export function outputClosed(): Promise<void> {
  return new Promise((resolve) => output.on("error", () => resolve()));
}
