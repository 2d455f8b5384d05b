/** The files in which the kernel describes the host. The root is another directory in tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export class HostFiles {
  constructor(readonly root = "/") {}

  path(path: string): string {
    return join(this.root, path);
  }

  /** The content without white space around it; undefined when it cannot be read. */
  read(path: string): string | undefined {
    try {
      return readFileSync(this.path(path), "utf8").trim();
    } catch {
      return undefined;
    }
  }

  lines(path: string): string[] {
    return this.read(path)?.split("\n") ?? [];
  }

  /** Undefined when it cannot be read or holds no number. */
  number(path: string): number | undefined {
    const value = Number.parseFloat(this.read(path) ?? "");
    return Number.isNaN(value) ? undefined : value;
  }
}
