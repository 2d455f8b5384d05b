/**
 * What must outlive the daemon: quotas, escalations, who was notified. One JSON file, replaced in whole: written beside it, flushed to the disk, renamed
 * over it. However the daemon or the host ends, the file is the one before or the one after.
 */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";

const accountState = v.object({
  parts: v.array(v.tuple([v.number(), v.number()])),
  tier: v.number(),
  counted: v.number(),
  goodSinceMs: v.nullable(v.number()),
  changedMs: v.number(),
});
const savedState = v.object({
  version: v.literal(1),
  /** PIDs and times after boot are of this boot only. */
  bootId: v.string(),
  quotas: v.record(v.string(), v.record(v.string(), accountState)),
  forces: v.array(v.object({ pid: v.number(), startTime: v.number(), rule: v.string(), sinceNs: v.number(), reason: v.string() })),
  counted: v.array(v.tuple([v.number(), v.number(), v.number(), v.number()])),
  /** When somebody was last told, ms since the epoch, by notifier and user. */
  notified: v.record(v.string(), v.number()),
  off: v.nullable(v.object({ sinceAt: v.number(), by: v.string() })),
});

export type SavedState = v.InferOutput<typeof savedState>;

export class StateStore {
  readonly path: string;
  #writing: Promise<void> = Promise.resolve();
  /** There is a file, and what it holds is not known. */
  #unread = false;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * What the file holds; undefined where there is none.
   *
   * @throws Error when it cannot be read, or is not what we wrote; it is then kept beside, for whoever wants to look at it.
   */
  async load(): Promise<SavedState | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      this.#unread = true;
      throw new Error(`${this.path} cannot be read (${(error as Error).message}); nothing is saved, so that it is not lost`);
    }
    try {
      return v.parse(savedState, JSON.parse(text));
    } catch (error) {
      await rename(this.path, `${this.path}.broken`).catch(() => {});
      throw new Error(
        `${this.path} is damaged (${(error as Error).message}); it was moved to ${this.path}.broken, and counting begins anew`,
      );
    }
  }

  /** Writes that overlap wait for each other. @throws Error when the disk is full, say; the file before is untouched then. */
  save(state: SavedState): Promise<void> {
    if (this.#unread) return Promise.reject(new Error(`${this.path} could not be read, and is not overwritten`));
    const writing = this.#writing.then(() => replaceFile(this.path, JSON.stringify(state)));
    this.#writing = writing.catch(() => {});
    return writing;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const fresh = `${path}.new`;
  try {
    const file = await open(fresh, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  // The new name is on the disk only when its folder is.
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
