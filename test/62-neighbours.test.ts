/** A process has one hobbler: a second is refused, and told who the first is. */
import { expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { hobble } from "./helpers/cli.js";
import { newFolder } from "./helpers/folders.js";
import { runsOn, startSleeper, stateOf, until } from "./helpers/processes.js";
import { kill, killWithGuardian, longStop, startOwner } from "./helpers/safety.js";

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
