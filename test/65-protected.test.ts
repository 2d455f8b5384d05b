/** Programs that are never stopped: known by their executable, not by a name. */
import { chmodSync, copyFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { hobble } from "./helpers/cli.js";
import { newFolder } from "./helpers/folders.js";
import { processName, start, startSleeper, stateOf, until } from "./helpers/processes.js";
import { longStop } from "./helpers/safety.js";

/** The `sleep` of this host under another name. */
async function startAs(name: string, mode = 0o755): Promise<{ pid: number; executable: string }> {
  const { pid: sleeper } = await startSleeper();
  const executable = join(newFolder(), name);
  copyFileSync(readlinkSync(`/proc/${sleeper}/exe`), executable);
  chmodSync(executable, mode);
  const { pid } = await start([executable, "100"]);
  await until(() => processName(pid) === name.slice(0, 15), `${name} runs`);
  return { pid, executable };
}

async function verdict(pid: number, options: ConstructorParameters<typeof Hobbler>[0] = {}): Promise<string> {
  await using hobbler = new Hobbler({ runtimeDir: newFolder(), ...options });
  return await hobbler.add(pid, longStop).ready.then(
    () => "hobbled",
    ({ code, message }) => `${code}: ${message}`,
  );
}

describe.runIf(process.getuid?.() === 0)("the usual programs", () => {
  test("are refused, and the message names the executable", async () => {
    const { pid, executable } = await startAs("containerd");
    expect(await verdict(pid)).toBe(
      `ERR_PROTECTED: process ${pid} is protected: its program, ${executable}, is on the list of those that are never stopped`,
    );
    expect(stateOf(pid)).not.toBe("T");
  });

  test("are not protected with `protectUsual: false`", async () => {
    const { pid } = await startAs("containerd");
    expect(await verdict(pid, { protectUsual: false })).toBe("hobbled");
  });

  test("are known by their executable: a name that a process gives itself protects nobody", async () => {
    const { pid } = await start(["bash", "-c", "exec -a containerd sleep 100"]);
    await until(() => processName(pid) === "sleep", "it runs");
    expect(await verdict(pid)).toBe("hobbled");
    const renamed = await start(["sh", "-c", "printf dockerd >/proc/self/comm; printf dockerd >/proc/$$/comm; while :; do sleep 1; done"]);
    await until(() => processName(renamed.pid) === "dockerd", "it has renamed itself");
    expect(await verdict(renamed.pid)).toBe("hobbled");
  });

  test("are those that root alone can change", async () => {
    const { pid } = await startAs("containerd", 0o777);
    expect(await verdict(pid)).toBe("hobbled");
  });

  test("do not become protected by a mount of one's own", async () => {
    const folder = newFolder();
    const { pid: sleeper } = await startSleeper();
    const sleep = readlinkSync(`/proc/${sleeper}/exe`);
    const script = `touch ${folder}/containerd && mount --bind ${sleep} ${folder}/containerd && exec ${folder}/containerd 100`;
    const { pid } = await start(["unshare", "--mount", "sh", "-c", script]);
    await until(() => processName(pid) === "containerd", "it runs");
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(`${folder}/containerd`);
    expect(await verdict(pid)).toBe("hobbled");
  });

  test("are left out of a tree", async () => {
    const { executable } = await startAs("containerd");
    const { pid: root, child } = await start(["sh", "-c", `${executable} 100 & echo $!; sleep 100 & echo $!; wait`]);
    let text = "";
    child.stdout?.on("data", (chunk) => (text += chunk));
    await until(() => /\d+\n\d+\n/.test(text), "its children are there");
    const [guarded = 0, other = 0] = text.trim().split("\n").map(Number);
    await until(() => processName(guarded) === "containerd" && processName(other) === "sleep", "its children run");
    await using hobbler = new Hobbler({ runtimeDir: newFolder() });
    const target = hobbler.add({ tree: root }, longStop);
    await target.ready;
    await until(() => stateOf(other) === "T", "the tree is stopped");
    expect(target.members).toEqual([root, other]);
    expect(stateOf(guarded)).not.toBe("T");
  });
});

test("`protect` adds executables", async () => {
  const { pid, executable } = await startAs("precious");
  expect(await verdict(pid)).toBe("hobbled");
  expect(await verdict(pid, { protect: [executable] })).toMatch(/^ERR_PROTECTED: .*precious/);
  const refused = await hobble(["attach", pid, "--run", "1ms", "--stop", "1s", "--protect", executable, "--runtime-dir", newFolder()]);
  expect(await refused.exit).not.toBe(0);
  expect(refused.stderr()).toContain("never stopped");
});

test("the guardian and hobble itself are refused, also by another hobbler", async () => {
  await using first = new Hobbler({ runtimeDir: newFolder() });
  const { guardian = 0 } = first.stats();
  expect(await verdict(guardian)).toMatch(/^ERR_PROTECTED: .*guardian/);
  expect(await verdict(process.pid)).toMatch(/^ERR_PROTECTED: .*hobble itself/);
  expect(await verdict(1)).toMatch(/^ERR_PROTECTED/);
});
