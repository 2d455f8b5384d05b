/** Real users for tests: made by the test, as root, and removed at its end, also when it fails. */
import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { afterAll } from "vitest";
import { processName, type Started, start, until } from "./processes.js";

const made = new Set<string>();

afterAll(() => {
  for (const user of made) {
    try {
      execFileSync("userdel", [user], { stdio: "ignore" });
    } catch {
      // It could not be made, then.
    }
  }
  made.clear();
});

export const isRoot = process.getuid?.() === 0;

/** A user of its own name, without a home. Gives the uid. */
export function makeUser(name: string): { name: string; uid: number } {
  made.add(name);
  execFileSync("useradd", ["--no-create-home", "--shell", "/bin/sh", name], { stdio: "pipe" });
  return { name, uid: Number(execFileSync("id", ["-u", name], { encoding: "utf8" })) };
}

/** Runs a command as a user. */
export async function startAs(user: string, command: readonly string[]): Promise<Started> {
  const started = await start(["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--pdeathsig", "KILL", "--", ...command]);
  const [program = ""] = command;
  await until(() => processName(started.pid) === basename(program), `${program} runs`);
  return started;
}
