/** What is left when hobble and its guardian are killed at one stroke: `hobble release` and the next start resume it, and only it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Hobbler, recover } from "../src/index.js";
import { hobble } from "./helpers/cli.js";
import { newFolder } from "./helpers/folders.js";
import { end, observe, runsOn, stateOf, until } from "./helpers/processes.js";
import { killWithGuardian, startOwner, tablesIn } from "./helpers/safety.js";

async function release(...flags: string[]) {
  const running = await hobble(["release", ...flags]);
  return { code: await running.exit, stdout: running.stdout(), stderr: running.stderr() };
}

async function staysStopped(pid: number): Promise<void> {
  expect(await observe(pid, 100)).toEqual(new Map([["T", 100]]));
}

test("release resumes what dead owners left, and nothing of a living one", async () => {
  const runtimeDir = newFolder();
  const dead = await startOwner(runtimeDir);
  const living = await startOwner(runtimeDir);
  await killWithGuardian(dead);
  await staysStopped(dead.held);

  const { code, stdout, stderr } = await release("--runtime-dir", runtimeDir);
  expect(stdout).toBe(`resumed what the hobble with PID ${dead.pid} had left stopped: ${dead.held}\n`);
  expect([code, stderr]).toEqual([0, ""]);
  expect(await runsOn(dead.held)).toBe(true);
  await staysStopped(living.held);
  expect(tablesIn(runtimeDir)).toHaveLength(1);
});

test("release --dry-run touches nothing; --json tells machines", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  const dry = await release("--dry-run", "--runtime-dir", dead.runtimeDir);
  expect(dry).toEqual({
    code: 0,
    stdout: `would resume what the hobble with PID ${dead.pid} had left stopped: ${dead.held}\n`,
    stderr: "",
  });
  await staysStopped(dead.held);
  expect(tablesIn(dead.runtimeDir)).toHaveLength(1);

  const members = [{ pid: dead.held, result: "resumed" }];
  const parsed = async (...flags: string[]) => JSON.parse((await release("--json", "--runtime-dir", dead.runtimeDir, ...flags)).stdout);
  expect(await parsed("--dry-run")).toMatchObject({
    dryRun: true,
    resumed: 0,
    failed: 0,
    tables: [{ owner: dead.pid, removed: false, members }],
  });
  expect(await parsed()).toMatchObject({ dryRun: false, resumed: 1, failed: 0, tables: [{ owner: dead.pid, removed: true, members }] });
  expect(await parsed()).toEqual({ dryRun: false, resumed: 0, failed: 0, tables: [] });
  expect(await runsOn(dead.held)).toBe(true);
});

test("release where nothing is left says so", async () => {
  const nothing = { code: 0, stdout: "nothing was left stopped\n", stderr: "" };
  const runtimeDir = newFolder();
  expect(await release("--runtime-dir", runtimeDir)).toEqual(nothing);
  expect(await release("--runtime-dir", join(runtimeDir, "none"))).toEqual(nothing);
  expect((await release("--runtime-dir", "relative")).code).toBe(2);
});

test("release leaves alone what somebody else stopped too", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  process.kill(dead.held, "SIGSTOP");
  const { code, stdout } = await release("--runtime-dir", dead.runtimeDir);
  expect([code, stdout]).toEqual([0, `left alone, because somebody else stopped them or a debugger holds them: ${dead.held}\n`]);
  await staysStopped(dead.held);
});

test("release does not mind members that have died", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  process.kill(dead.held, "SIGKILL");
  await until(() => ["gone", "Z"].includes(stateOf(dead.held)), "it is gone");
  const { code, stderr } = await release("--runtime-dir", dead.runtimeDir);
  expect([code, stderr, tablesIn(dead.runtimeDir)]).toEqual([0, "", []]);
});

test("the next start resumes first what a dead one left", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  await using _next = new Hobbler({ runtimeDir: dead.runtimeDir });
  await until(() => stateOf(dead.held) !== "T", "it runs");
  expect(await runsOn(dead.held)).toBe(true);
});

test("recover() does the same for programs", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  const [table, ...others] = recover({ runtimeDir: dead.runtimeDir });
  expect(table).toMatchObject({ owner: dead.pid, removed: true, ignored: undefined });
  expect(table?.members).toEqual([{ pid: dead.held, result: "resumed", error: undefined }]);
  expect(others).toEqual([]);
  expect(await runsOn(dead.held)).toBe(true);
});

test("what is no table is ignored with one message each, and stays", async () => {
  const dead = await startOwner(newFolder());
  await killWithGuardian(dead);
  const junk = ["1-0.leases", "2-0.leases", "3-0.leases"];
  writeFileSync(join(dead.runtimeDir, "1-0.leases"), "");
  writeFileSync(join(dead.runtimeDir, "2-0.leases"), "hobble-L");
  writeFileSync(join(dead.runtimeDir, "3-0.leases"), Buffer.alloc(8192, 0xff));
  const { code, stdout, stderr } = await release("--runtime-dir", dead.runtimeDir);
  expect(code).toBe(0);
  expect(stdout).toContain(`: ${dead.held}\n`);
  expect(stderr.trim().split("\n")).toHaveLength(junk.length);
  expect(stderr).toMatch(/1-0\.leases: is not a table of leases \(cut short\): ignored/);
  expect(tablesIn(dead.runtimeDir).sort()).toEqual(junk);
  expect(await runsOn(dead.held)).toBe(true);
  await end({ pid: dead.held, child: dead.child });
});
