/** A process has one hobbler: a second is refused, and told who the first is. */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { type HobbleError, Hobbler } from "../src/index.js";
import { host } from "../src/native-host.js";
import { cliPath, hobble } from "./helpers/cli.js";
import { newFolder } from "./helpers/folders.js";
import { end, runsOn, startSleeper, stateOf, until } from "./helpers/processes.js";
import { kill, killWithGuardian, longStop, startOwner } from "./helpers/safety.js";
import { isRoot, makeUser, startAs } from "./helpers/users.js";

test("a second command is refused and names the first", async () => {
  const first = await startOwner(newFolder());
  const second = await hobble(["attach", first.held, "--run", "1ms", "--stop", "1s", "--runtime-dir", first.runtimeDir]);
  expect(await second.exit).toBe(1);
  expect(second.stderr()).toContain(`process ${first.held} is hobbled by the hobble with PID ${first.pid} already`);
  expect(stateOf(first.held)).toBe("T");
});

test("a second hobbler of the same process is refused, until the first lets go", async () => {
  const runtimeDir = newFolder();
  const { pid } = await startSleeper();
  await using first = new Hobbler({ runtimeDir });
  await using second = new Hobbler({ runtimeDir });
  const target = first.add(pid, longStop);
  await target.ready;
  const refusal = { code: "ERR_BUSY", pid, message: expect.stringContaining("another engine of this process") };
  await expect(second.add(pid, longStop).ready).rejects.toMatchObject(refusal);
  await expect(second.add({ tree: pid }, longStop).ready).rejects.toMatchObject({ code: "ERR_BUSY" });
  await target.release();
  await second.add(pid, longStop).ready;
});

test("the first does not count once it is dead", async () => {
  const first = await startOwner(newFolder());
  await killWithGuardian(first);
  await using next = new Hobbler({ runtimeDir: first.runtimeDir });
  await next.add(first.held, longStop).ready;
  await next.close();
  expect(await runsOn(first.held)).toBe(true);
});

test("a child that another hobbles is left out of the tree", async () => {
  const runtimeDir = newFolder();
  const first = await startOwner(runtimeDir);
  await using second = new Hobbler({ runtimeDir });
  const { pid, child } = await startSleeper();
  const target = second.add({ tree: pid }, { run: "5ms", stop: "20ms" });
  await target.ready;
  expect(target.members).toEqual([pid]);
  expect(child.exitCode).toBeNull();
  kill(first.pid);
  await until(() => stateOf(first.held) !== "T", "it runs");
});

describe.runIf(isRoot)("a hobble that cannot see the first", () => {
  const student = makeUser(`hobble-n${process.pid}`);
  afterAll(() => rmSync(`/dev/shm/hobble-${student.uid}`, { recursive: true, force: true }));

  test("and is there all the same gets its process: the first lets go, and it does not stay stopped between the two", async () => {
    await using first = new Hobbler();
    const { pid } = await startAs(student.name, ["sh", "-c", "while :; do :; done"]);
    const target = first.add(pid, { run: "7ms", stop: "13ms" });
    await target.ready;
    const errors: HobbleError[] = [];
    first.on("error", ({ error }) => errors.push(error));
    const second = await startAs(student.name, [process.execPath, cliPath, "attach", String(pid), "--run", "5ms", "--stop", "11ms"]);
    await until(() => errors.length > 0, "the first lets go");
    expect(errors[0]).toMatchObject({ code: "ERR_BUSY", pid, message: expect.stringContaining("did not see us") });
    const before = host().cpuTimeNs(pid);
    await until(() => host().cpuTimeNs(pid) > before + 100e6, "it runs");
    await end(second);
    expect(await runsOn(pid)).toBe(true);
  });

  test("does not keep root from its process where root ignores what users do", async () => {
    const { pid } = await startAs(student.name, ["sh", "-c", "while :; do :; done"]);
    const attach = [process.execPath, cliPath, "attach", String(pid), "--cpu", "95%", "--json"];
    const own = await startAs(student.name, attach);
    let said = "";
    own.child.stdout?.setEncoding("utf8").on("data", (text) => (said += text));
    await until(() => said.includes("hobbled"), "its user hobbles it");
    await using respectful = new Hobbler();
    await expect(respectful.add(pid, { limit: "5%" }).ready).rejects.toMatchObject({ code: "ERR_BUSY" });
    await using root = new Hobbler({ foreignStops: "ignore" });
    await root.add(pid, { limit: "5%" }).ready;
    await sleep(1000);
    const before = host().cpuTimeNs(pid);
    await sleep(2000);
    expect(host().cpuTimeNs(pid) - before).toBeLessThan(0.3e9);
    await end(own);
    await root.close();
    expect(await runsOn(pid)).toBe(true);
  });
});
