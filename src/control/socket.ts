/**
 * The socket's place in the file system: made with care, watched, and taken away at the end. Nobody's file is ever replaced, and no daemon that answers
 * is pushed aside.
 */
import { chmodSync, linkSync, lstatSync, mkdirSync, rmSync, type Stats } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, isAbsolute } from "node:path";
import { HobbleError } from "../errors.js";

/** sockaddr_un has room for 108 bytes, one of them the end, and eight for what `temporaryPath` adds. */
const longestPath = 99;
const answerWithinMs = 2000;

export interface PlacedSocket {
  /** False when the file is gone or is another one: it is to be made anew. */
  isThere(): boolean;
  remove(): void;
}

/**
 * Listens at `path`.
 *
 * @param mode of the socket: who may connect
 * @throws HobbleError `ERR_SOCKET` with what to do about it
 */
export async function placeSocket(server: Server, path: string, mode: number): Promise<PlacedSocket> {
  await requireFreePlace(path);
  const { dev, ino } = await listen(server, path, mode);
  const isThere = () => {
    const now = look(path);
    return now?.isSocket() === true && now.dev === dev && now.ino === ino;
  };
  return { isThere, remove: () => isThere() && rmSync(path, { force: true }) };
}

/**
 * Nobody answers at `path`, and it can be used. A socket that was left there is removed.
 *
 * @throws HobbleError `ERR_SOCKET`
 */
export async function requireFreePlace(path: string): Promise<void> {
  checkPath(path);
  await clearTheWay(path);
}

function checkPath(path: string): void {
  if (!isAbsolute(path)) throw refusal(path, "is not an absolute path");
  if (Buffer.byteLength(path) > longestPath) throw refusal(path, `is longer than ${longestPath} bytes`);
  const directory = dirname(path);
  try {
    // Others may enter it and not list it, as the runtime directory wants it that may be the same. Not `recursive`, with which Node loops for
    // ever where a file system has no room for directories (/proc).
    if (look(directory) === undefined) mkdirSync(directory, { mode: 0o711 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const advice = code === "EACCES" && process.geteuid?.() !== 0 ? "; without root: hobble daemon --user" : "";
    throw refusal(path, `has no directory, and it cannot be made: ${message}${advice}`);
  }
  const { uid, mode } = lstatSync(directory);
  const othersMayReplace = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  const owner = process.geteuid?.() ?? 0;
  if ((uid !== 0 && uid !== owner) || othersMayReplace) {
    throw refusal(path, "lies in a directory that other users may change; choose one that only root or this user may write to");
  }
}

/** Removes a socket that nobody listens at any more; anything else stays, and is an error. */
async function clearTheWay(path: string): Promise<void> {
  const found = look(path);
  if (found === undefined) return;
  if (found.isSymbolicLink()) throw refusal(path, "is a symbolic link; remove it");
  if (!found.isSocket()) throw refusal(path, "is there already and is no socket; remove it or choose another path");
  if (await answers(path)) throw refusal(path, "is in use: another daemon answers there; end it first (hobble status)");
  // Still the one that did not answer?
  const now = look(path);
  if (now === undefined) return;
  if (now.ino !== found.ino || now.dev !== found.dev) throw refusal(path, "was made anew by somebody else just now; try again");
  rmSync(path);
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** A listener that is too busy to accept counts as one that answers. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const done = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(answerWithinMs, () => done(true));
    socket.on("connect", () => done(true));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") done(false);
      else if (error.code === "EAGAIN") done(true);
      else reject(refusal(path, `cannot be tried: ${error.message}`));
    });
  });
}

/**
 * Listens at a name of its own and links that to `path`: link(2) replaces nothing, so of two daemons that start together one is refused, and libuv,
 * which unlinks the name that it has bound when a server closes, cannot take away the socket of the next one.
 */
async function listen(server: Server, path: string, mode: number): Promise<Stats> {
  const temporary = `${path}.${process.pid}`;
  try {
    if (look(temporary)?.isSocket()) rmSync(temporary);
    await bind(server, temporary);
    chmodSync(temporary, mode);
    linkSync(temporary, path);
    return lstatSync(temporary);
  } catch (error) {
    server.close();
    const taken = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw refusal(path, taken ? "was taken by another daemon just now" : `cannot be made: ${(error as Error).message}`);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Nobody may connect between bind(2), which is done when `listen` returns, and chmod(2).
    const before = process.umask(0o777);
    try {
      server.listen({ path, backlog: 1024 }, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

function refusal(path: string, why: string): HobbleError {
  return new HobbleError("ERR_SOCKET", `the socket ${path} ${why}`);
}
