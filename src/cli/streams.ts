/**
 * Standard output and error, written by helper threads and not by the event loop: a reader that does not read, or a terminal that stops the
 * background jobs that write to it (`stty tostop`), must not keep us from answering a signal by resuming everything.
 */
import { createWriteStream, type WriteStream } from "node:fs";

class Output {
  /** Resolves when nobody reads it any more. */
  readonly closed: Promise<void>;
  readonly #fd: number;
  /** Undefined when nobody reads. */
  #stream: WriteStream | undefined;
  #close: () => void = () => {};

  constructor(fd: number) {
    this.#fd = fd;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    this.#stream = this.#open();
  }

  write(text: string): void {
    this.#stream?.write(text);
  }

  #open(): WriteStream {
    const stream = createWriteStream("", { fd: this.#fd, autoClose: false });
    stream.once("error", (error: NodeJS.ErrnoException) => {
      // A reader that went away (`| head`) is no reason to crash, and a full disk none to stop what we do; but whoever looks at the exit status
      // shall not take a part for the whole. A stream that has failed once keeps what it is given in memory for ever, so the next one takes over.
      stream.on("error", () => {});
      this.#stream = undefined;
      if (error.code === "EPIPE") return this.#close();
      outputFailed = true;
      this.#stream = this.#open();
    });
    return stream;
  }
}

let outputFailed = false;
process.on("exit", (code) => {
  if (outputFailed && code === 0) process.exitCode = 1;
});

const output = new Output(1);
const errors = new Output(2);

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
  return output.closed;
}
