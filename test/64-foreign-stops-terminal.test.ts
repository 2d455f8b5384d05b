/** A job of a real interactive shell, in a real terminal multiplexer, that is hobbled with its shell: Ctrl-Z stops it, `fg` brings it back. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { newFolder } from "./helpers/folders.js";
import { childrenOf, observe, processName, start, stateOf, until } from "./helpers/processes.js";

let socket = "";

function tmux(...words: string[]): string {
  const { stdout, stderr, status } = spawnSync("tmux", ["-S", socket, "-f", "/dev/null", ...words], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tmux ${words.join(" ")}: ${stderr}`);
  return stdout;
}

afterEach(() => {
  if (socket !== "") tmux("kill-server");
  socket = "";
});

/** tmux resumes the program of a pane as soon as it stops: so the shell is the child of one. */
async function openShell(): Promise<number> {
  socket = join(newFolder(), "tmux");
  const shell = "sh -c 'env PS1=\\$\\  bash --norc --noprofile -i; exit'";
  await start(["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", shell]);
  await until(() => spawnSync("tmux", ["-S", socket, "has-session"]).status === 0, "tmux runs");
  await until(() => /^\$/m.test(screen()), "the shell shows its prompt");
  const [pid = 0] = childrenOf(Number(tmux("display-message", "-p", "#{pane_pid}")));
  return pid;
}

const screen = () => tmux("capture-pane", "-p");
const type = (...keys: string[]) => tmux("send-keys", ...keys);

test("a job that is stopped with Ctrl-Z stays stopped, and is hobbled again after fg", async () => {
  const shell = await openShell();
  type("while :; do :; done | cat", "Enter");
  await until(() => childrenOf(shell).length === 2, "the job runs");
  const [burner = 0] = childrenOf(shell);
  expect(processName(burner)).toBe("bash");

  await using hobbler = new Hobbler({ runtimeDir: newFolder() });
  const held = new Set<number>();
  hobbler.on("held", ({ pid }) => held.add(pid));
  hobbler.on("unheld", ({ pid }) => held.delete(pid));
  // Mostly running: the Ctrl-Z comes in a run window.
  const target = hobbler.add({ tree: shell }, { run: "100ms", stop: "20ms" });
  await target.ready;

  for (let round = 0; round < 3; round++) {
    await until(() => stateOf(burner) === "T", "it is hobbled");
    await until(() => stateOf(burner) === "R", "it is hobbled");
    await sleep(5 + 20 * round);
    type("C-z");
    await until(() => (screen().match(/Stopped/g) ?? []).length === round + 1, "the shell says so");
    await until(() => held.has(burner), "it is held");
    expect(await observe(burner, 300)).toEqual(new Map([["T", 300]]));
    expect(held.has(shell)).toBe(false);
    type("fg", "Enter");
    await until(() => stateOf(burner) !== "T", "it runs");
    await until(() => !held.has(burner), "it is held no longer");
  }
  await until(() => stateOf(burner) === "T", "it is hobbled");
  expect((screen().match(/Stopped/g) ?? []).length).toBe(3);
  type("C-z");
  await until(() => held.has(burner), "it is held");
  await hobbler.close();
  expect(await observe(burner, 100)).toEqual(new Map([["T", 100]]));
});
