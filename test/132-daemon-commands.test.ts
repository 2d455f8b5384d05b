/** Each command against a real daemon, beyond what the day in its life asks. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { run } from "./helpers/cli.js";
import { DaemonProcess } from "./helpers/daemon-process.js";
import { hobbleWords } from "./helpers/exec.js";
import { goneProcess, runsOn, startSleeper, until } from "./helpers/processes.js";

test("add, ls, show, status, stats, events, rm; events --follow ends with the daemon", { timeout: 90_000 }, async () => {
  const daemon = new DaemonProcess("");
  const running = await daemon.start();
  const { pid } = await startSleeper();
  const following = await run([...hobbleWords, "events", "--follow", "--json", "--socket", daemon.socket]);
  expect(await daemon.hobble("ls")).toMatchObject({ exit: 0, stdout: "nothing is hobbled\n" });

  const added = await daemon.hobble("add", pid, "--run", "10ms", "--stop", "250ms", "--for", "10m", "--reason", "too loud");
  expect(added).toMatchObject({ exit: 0, stdout: expect.stringContaining("10ms/250ms") });
  await until(() => following.events().some((event) => event.kind === "hobbled" && event.pid === pid), "who follows is told");
  expect(await daemon.targets()).toEqual([pid]);
  expect(await daemon.json("show", pid)).toMatchObject({ pid, origin: "hand", reason: "too loud", runNs: 10e6, stopNs: 250e6 });
  expect(await daemon.json("status")).toMatchObject({ admin: true, off: null, targets: [{ pid }] });
  expect(await daemon.json("stats")).toMatchObject({ engine: { targets: 1 } });
  expect((await daemon.hobble("events", "--pid", pid)).stdout).toContain("too loud");
  expect(await daemon.hobble("add", pid, "--limit", "5%")).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("is a target already"),
  });

  expect(await daemon.hobble("rm", pid)).toMatchObject({ exit: 0 });
  expect(await runsOn(pid)).toBe(true);
  expect(await daemon.hobble("rm", pid)).toMatchObject({ exit: 3, stderr: expect.stringContaining(`process ${pid} is no target`) });
  expect(await daemon.hobble("add", await goneProcess(), "--limit", "5%")).toMatchObject({ exit: 3 });
  expect(await daemon.hobble("add", 1, "--limit", "5%")).toMatchObject({ exit: 4, stderr: expect.stringContaining("protected") });

  process.kill(running.pid, "SIGTERM");
  expect(await running.exit).toBe(0);
  expect(await following.exit).toBe(0);
  expect(existsSync(daemon.socket)).toBe(false);
});

/** SigCgt of proc_pid_status(5). */
function catches(pid: number, signal: number): boolean {
  try {
    const [, caught = "0"] = /^SigCgt:\t(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return (BigInt(`0x${caught}`) & (1n << BigInt(signal - 1))) !== 0n;
  } catch {
    return false;
  }
}

test("SIGUSR2 before it answers does not end it: everything is off from the start", async () => {
  const daemon = new DaemonProcess("");
  const running = await run([...hobbleWords, "daemon", "-c", daemon.file]);
  // SIGHUP's handler is the last of those that are made before the first scan.
  await until(() => catches(running.pid, 1), "its handlers are there");
  process.kill(running.pid, "SIGUSR2");
  await until(() => running.stdout().includes('"event":"listening"'), "it listens");
  await until(() => running.stdout().includes('"by":"SIGUSR2"'), "it is off");
  expect(await daemon.json("status")).toMatchObject({ off: { by: "SIGUSR2" } });
  process.kill(running.pid, "SIGTERM");
  expect(await running.exit).toBe(0);
});
