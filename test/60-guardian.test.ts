/** The guardian: there as long as the engine, replaced when it dies, and the one who resumes when its owner cannot. */
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { run } from "./helpers/cli.js";
import { copyOfPackage, newFolder } from "./helpers/folders.js";
import { runsOn, startSleeper, stateOf, until } from "./helpers/processes.js";
import { guardianOf, isGuardian, kill, longStop, startOwner, tablesIn } from "./helpers/safety.js";

function guardian(hobbler: Hobbler): number {
  const { guardian: pid } = hobbler.stats();
  if (pid === undefined) throw new Error("there is no guardian");
  return pid;
}

describe("a hobbler", () => {
  test("has a guardian in a session of its own, that signals do not end, and that goes when it is closed", async () => {
    const hobbler = new Hobbler({ runtimeDir: newFolder() });
    const pid = guardian(hobbler);
    expect(isGuardian(pid)).toBe(true);
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3]).toBe(String(pid));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGUSR1"] as const) process.kill(pid, signal);
    await sleep(50);
    expect(stateOf(pid)).toBe("S");
    await hobbler.close();
    expect(isGuardian(pid)).toBe(false);
  });

  test("gets another guardian when it is killed", async () => {
    await using hobbler = new Hobbler({ runtimeDir: newFolder() });
    let complaints = 0;
    hobbler.on("unguarded", () => complaints++);
    for (let round = 0; round < 3; round++) {
      const first = guardian(hobbler);
      kill(first);
      await until(() => ![undefined, first].includes(hobbler.stats().guardian), "another guardian is there");
      expect(isGuardian(guardian(hobbler))).toBe(true);
    }
    expect(complaints).toBe(0);
  });

  test("has none with `guardian: off`, and resumes at its end all the same", async () => {
    const { pid } = await startSleeper();
    const hobbler = new Hobbler({ guardian: "off", runtimeDir: newFolder() });
    await hobbler.add(pid, longStop).ready;
    await until(() => stateOf(pid) === "T", "it is stopped");
    expect(hobbler.stats().guardian).toBeUndefined();
    await hobbler.close();
    expect(await runsOn(pid)).toBe(true);
  });

  test("leaves neither table nor guardian behind, however often it is made", async () => {
    const runtimeDir = newFolder();
    for (let round = 0; round < 5; round++) await new Hobbler({ runtimeDir }).close();
    expect(tablesIn(runtimeDir)).toEqual([]);
  });
});

describe("when the owner", () => {
  test("is killed, the guardian resumes, removes the table and goes", async () => {
    const owner = await startOwner(newFolder());
    const pid = guardianOf(owner.pid);
    expect(tablesIn(owner.runtimeDir)).toHaveLength(1);
    kill(owner.pid);
    await until(() => stateOf(owner.held) !== "T", "it runs");
    await until(() => tablesIn(owner.runtimeDir).length === 0, "the table is gone");
    await until(() => !isGuardian(pid ?? 0), "the guardian is gone");
    expect(await runsOn(owner.held)).toBe(true);
  });

  test("is killed after its guardian was replaced, the new one resumes", async () => {
    const owner = await startOwner(newFolder());
    const first = guardianOf(owner.pid) ?? 0;
    kill(first);
    await until(() => ![undefined, first].includes(guardianOf(owner.pid)), "another guardian is there");
    kill(owner.pid);
    await until(() => stateOf(owner.held) !== "T", "it runs");
  });

  test("is suspended, the guardian resumes, and the owner takes back what is its own when it wakes", async () => {
    const { pid } = await startSleeper();
    const owner = await startOwnerOf(pid);
    process.kill(owner.pid, "SIGSTOP");
    await until(() => stateOf(pid) !== "T", "it runs");
    // For as long as the owner sleeps, which is many periods.
    expect(await runsOn(pid)).toBe(true);
    process.kill(owner.pid, "SIGCONT");
    await until(() => stateOf(pid) === "T", "it is hobbled again");
    kill(owner.pid);
    await until(() => stateOf(pid) !== "T", "it runs");
    expect(await runsOn(pid)).toBe(true);
  });

  async function startOwnerOf(pid: number) {
    const words = ["attach", String(pid), "--run", "1ms", "--stop", "300ms", "--json", "--runtime-dir", newFolder()];
    const owner = await run([process.execPath, copyOfPackage().cli, ...words]);
    await until(() => stateOf(pid) === "T", "it is stopped");
    return owner;
  }
});

describe("where no guardian can be started", () => {
  const words = (runtimeDir: string, pid: number, mode: string) =>
    ["attach", String(pid), "--run", "1ms", "--stop", "10m", "--json", "--guardian", mode, "--runtime-dir", runtimeDir] as const;

  test("`auto` says so and hobbles", async () => {
    const { cli, guardian: program } = copyOfPackage();
    rmSync(program);
    const { pid } = await startSleeper();
    const owner = await run([process.execPath, cli, ...words(newFolder(), pid, "auto")]);
    await until(() => stateOf(pid) === "T", "it is stopped");
    await until(() => owner.events().some(({ event }) => event === "warning"), "it warns");
    expect(owner.events().find(({ event }) => event === "warning")?.message).toMatch(/guardian .* cannot be started: .*hobble release/);
    owner.child.kill("SIGTERM");
    await owner.exit;
    expect(await runsOn(pid)).toBe(true);
  });

  test("`require` refuses, and nothing is stopped", async () => {
    const { cli, guardian: program } = copyOfPackage();
    rmSync(program);
    const { pid } = await startSleeper();
    const owner = await run([process.execPath, cli, ...words(newFolder(), pid, "require")]);
    expect(await owner.exit).toBe(1);
    expect(owner.stderr()).toMatch(/guardian .* cannot be started/);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("`require` resumes everything and closes when the one that died cannot be replaced", async () => {
    const { cli, guardian: program } = copyOfPackage();
    const owner = await startOwner(newFolder(), ["--guardian", "require"], cli);
    rmSync(program);
    kill(guardianOf(owner.pid) ?? 0);
    await until(() => stateOf(owner.held) !== "T", "it runs");
    expect(await owner.exit).toBe(1);
    expect(await runsOn(owner.held)).toBe(true);
    expect(tablesIn(owner.runtimeDir)).toEqual([]);
  });
});
