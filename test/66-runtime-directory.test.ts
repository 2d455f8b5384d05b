/** Where the table of what is stopped lies: a directory that others could get at is refused before anything is stopped. */
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Herd } from "../bench/herd.js";
import { Hobbler } from "../src/index.js";
import { cliPath, hobble, run } from "./helpers/cli.js";
import { newFolder } from "./helpers/folders.js";
import { runsOn, startSleeper, stateOf, until } from "./helpers/processes.js";
import { attach, startOwner, tablesIn } from "./helpers/safety.js";

const asRoot = process.getuid?.() === 0;

function refusal(runtimeDir: string): string {
  try {
    void new Hobbler({ runtimeDir }).close();
    return "accepted";
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
}

test("it is made with mode 0700, and holds one table for each engine", async () => {
  const runtimeDir = join(newFolder(), "new");
  await using first = new Hobbler({ runtimeDir });
  await using _second = new Hobbler({ runtimeDir });
  expect(statSync(runtimeDir).mode & 0o777).toBe(0o700);
  expect(tablesIn(runtimeDir).sort()).toEqual([`${process.pid}-0.leases`, `${process.pid}-1.leases`]);
  expect(statSync(join(runtimeDir, `${process.pid}-0.leases`)).mode & 0o777).toBe(0o600);
  await first.close();
  expect(tablesIn(runtimeDir)).toEqual([`${process.pid}-1.leases`]);
});

describe("it is refused", () => {
  const cases: [string, string, (path: string) => void][] = [
    ["a symbolic link", "is a symbolic link", (path) => symlinkSync(newFolder(), path)],
    ["open to others", "is open to others", (path) => mkdirSync(path) ?? chmodSync(path, 0o777)],
    ["readable by others", "is open to others", (path) => mkdirSync(path) ?? chmodSync(path, 0o750)],
    ["a file", "cannot be opened: Not a directory", (path) => writeFileSync(path, "")],
    ["where none can be made", "cannot be made: No such file or directory", () => {}],
  ];
  if (asRoot)
    cases.push(["of another user", "belongs to another user (65534)", (path) => mkdirSync(path) ?? chownSync(path, 65534, 65534)]);
  test.each(cases)("%s", async (name, why, prepare) => {
    const path = name === "where none can be made" ? join(newFolder(), "no", "parent") : join(newFolder(), "hobble");
    prepare(path);
    expect(refusal(path)).toContain(`ERR_RUNTIME_DIR: the runtime directory ${path} ${why}`);
    const { pid } = await startSleeper();
    const command = await hobble(["attach", pid, "--run", "1ms", "--stop", "1s", "--runtime-dir", path]);
    expect(await command.exit).toBe(1);
    expect(command.stderr().trim().split("\n")).toHaveLength(1);
    expect(command.stderr()).toContain(why);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("relative", () => {
    expect(() => new Hobbler({ runtimeDir: "run" })).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });
});

/** Hobbles in a mount namespace of its own, where the runtime directory is a file system of its own. */
function hobbleOn(mount: string, pid: number, ...flags: string[]) {
  const folder = newFolder();
  const script = `mount -t tmpfs -o ${mount} hobble-test ${folder} && exec "$@"`;
  const words = ["attach", String(pid), "--run", "1ms", "--stop", "10m", "--json", "--runtime-dir", folder, ...flags];
  return run(["unshare", "--mount", "sh", "-c", script, "sh", process.execPath, cliPath, ...words]);
}

describe.runIf(asRoot)("a file system that is", () => {
  test.each([
    ["full", "mode=700,size=16k", /table of leases .* No space left on device/],
    ["read-only", "mode=700,ro", /table of leases .* Read-only file system/],
  ])("%s: nothing is stopped", async (_, mount, why) => {
    const { pid } = await startSleeper();
    const command = await hobbleOn(mount, pid);
    expect(await command.exit).toBe(1);
    expect(command.stderr()).toMatch(why);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("full later: what does not fit is not hobbled, what fits is, and all of it runs at the end", async () => {
    // Room for the first page and for 4,096 members, not for more.
    await using herd = await Herd.start({ count: 4110, kind: "idle", lifetimeSeconds: 60, shortestGapMs: 1, userId: undefined });
    const [first = 0] = herd.pids;
    const parent = Number(readFileSync(`/proc/${first}/stat`, "latin1").split(" ")[3]);
    const command = await hobbleOn("mode=700,size=300k", parent, "--tree");
    await until(() => stateOf(parent) === "T", "the tree is stopped");
    command.child.kill("SIGTERM");
    expect(await command.exit).toBe(0);
    expect(herd.pids.filter((pid) => stateOf(pid) === "T")).toEqual([]);
    expect(stateOf(parent)).not.toBe("T");
  }, 90_000);
});

test("an owner whose table is truncated or overwritten by others goes on, and resumes at its end", async () => {
  const owner = await startOwner(newFolder());
  const [name = ""] = tablesIn(owner.runtimeDir);
  const table = join(owner.runtimeDir, name);
  const next = new Hobbler({ runtimeDir: owner.runtimeDir });
  await next.close();
  writeFileSync(table, Buffer.alloc(4096, 0x5a), { flag: "r+" });
  expect(stateOf(owner.held)).toBe("T");
  const release = await hobble(["release", "--runtime-dir", owner.runtimeDir]);
  expect(await release.exit).toBe(0);
  expect(release.stderr()).toContain("is not a table of leases");
  expect(stateOf(owner.held)).toBe("T");
  owner.child.kill("SIGTERM");
  await owner.exit;
  expect(await runsOn(owner.held)).toBe(true);
});

test("junk in it disturbs nobody", async () => {
  const runtimeDir = newFolder();
  mkdirSync(join(runtimeDir, "1-0.leases"));
  symlinkSync("/etc/passwd", join(runtimeDir, "2-0.leases"));
  writeFileSync(join(runtimeDir, "3-0.leases"), "");
  truncateSync(join(runtimeDir, "3-0.leases"), 4096);
  const { pid } = await startSleeper();
  const command = await attach(pid, runtimeDir);
  command.child.kill("SIGTERM");
  expect(await command.exit).toBe(0);
  expect(readdirSync(runtimeDir).sort()).toEqual(["1-0.leases", "2-0.leases", "3-0.leases"]);
});
