/** Lines at the bottom of a terminal that are rewritten in place. Without a terminal they do not appear. */
import { readFileSync } from "node:fs";
import { print } from "./streams.js";

const eraseDown = "\u001b[J";

export class LiveLines {
  readonly enabled = process.stdout.isTTY === true;
  #shown: readonly string[] = [];

  show(lines: readonly string[]): void {
    if (!this.enabled || !inForeground()) return;
    print(this.#erase() + this.#fit(lines));
    this.#shown = lines;
  }

  /** An ordinary line, above the live ones. */
  print(line: string): void {
    print(`${this.#erase()}${line}\n${this.#fit(this.#shown)}`);
  }

  clear(): void {
    print(this.#erase());
    this.#shown = [];
  }

  #erase(): string {
    return this.#shown.length === 0 ? "" : `\u001b[${this.#shown.length}A\r${eraseDown}`;
  }

  /** A line that wraps would take two of the terminal's. A terminal that does not know its size says 0. */
  #fit(lines: readonly string[]): string {
    const width = process.stdout.columns > 1 ? process.stdout.columns - 1 : 79;
    return lines.map((line) => `${line.slice(0, width)}\n`).join("");
  }
}

/** A status line of a background job would spoil what the user types, or stop the job (`stty tostop`). */
function inForeground(): boolean {
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [, , group, , , foregroundGroup] = fields;
  return foregroundGroup === "-1" || group === foregroundGroup;
}
