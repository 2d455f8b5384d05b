import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { hobble, hobbles, type Running } from "./helpers/cli.js";
import { exitOf, observe, runsOn, start, startSleeper, stateOf, until } from "./helpers/processes.js";

const directory = mkdtempSync(join(tmpdir(), "hobble-follow-"));
afterAll(() => rmSync(directory, { recursive: true }));

const longStop = ["--run", "1ms", "--stop", "10m"];
const list = (name: string, pids: readonly unknown[]) => {
  const path = join(directory, name);
  writeFileSync(path, `${pids.join("\n")}\n`);
  return path;
};
const follow = (path: string, cycle = longStop) => hobble(["attach", "--from", path, "--every", "20ms", "--json", ...cycle]);

async function endFollowing(following: Running): Promise<void> {
  following.child.kill("SIGTERM");
  expect(await following.exit).toBe(0);
}

async function startSleepers(count: number): Promise<number[]> {
  const sleepers = await Promise.all(Array.from({ length: count }, () => startSleeper()));
  return sleepers.map(({ pid }) => pid);
}

test("200 processes: new ones are added, missing ones released, others left alone", async () => {
  const pids = await startSleepers(200);
  const path = list("200", pids.slice(0, 150));
  const following = await follow(path);
  await until(() => pids.slice(0, 150).every((pid) => stateOf(pid) === "T"), "150 are stopped");
  expect(stateOf(pids[199] ?? 0)).not.toBe("T");

  list("200", pids.slice(50));
  await until(() => pids.slice(50).every((pid) => stateOf(pid) === "T"), "50 more are stopped");
  await until(() => pids.slice(0, 50).every((pid) => stateOf(pid) !== "T"), "50 are released");
  const told = (event: string) => following.events().filter((one) => one.event === event).length;
  await until(() => told("released") === 50 && told("hobbled") >= 200, "it tells of 50 releases, and of all");
  expect(told("hobbled")).toBe(200); // each once: who stays on the list is not touched

  await endFollowing(following);
  expect(pids.filter((pid) => stateOf(pid) === "T")).toEqual([]);
});

test("a Python loop that is put on the list takes 10 to 100 times as long", async () => {
  const work = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.1: pass";
  const timed = async () => {
    const loop = await start(["python3", "-c", `input()\n${work}`]);
    return { loop, go: () => loop.child.stdin?.write("go\n") };
  };
  const free = await timed();
  let began = performance.now();
  free.go();
  await exitOf(free.loop);
  const freeMs = performance.now() - began;

  const slow = await timed();
  const following = await follow(list("loop", [slow.loop.pid]), ["--run", "4ms", "--stop", "96ms"]);
  await hobbles(following, slow.loop.pid);
  began = performance.now();
  slow.go();
  await exitOf(slow.loop);
  const slowMs = performance.now() - began;
  await endFollowing(following);
  // 26 times on a quiet machine; less where others take their share of the free run.
  expect(slowMs / freeMs).toBeGreaterThan(6);
  expect(slowMs / freeMs).toBeLessThan(100);
});

test("a list that cannot be read or is garbled leaves the one before it in force, and is told of once", async () => {
  const [first = 0, second = 0] = await startSleepers(2);
  const path = list("broken", [first]);
  const following = await follow(path);
  await hobbles(following, first);
  const warnings = () => following.events().filter(({ event }) => event === "warning");

  list("broken", [second, "oops"]);
  await until(() => warnings().length === 1, "it warns");
  expect(warnings()[0]?.message).toBe(`${path}: line 2 is not a PID: "oops"; the list before it stays in force`);
  rmSync(path);
  await until(() => warnings().length === 2, "it warns again");
  expect(warnings()[1]?.message).toBe(`${path}: there is no such file; the list before it stays in force`);
  expect(await observe(first, 50)).toEqual(new Map([["T", 50]]));
  expect(await runsOn(second)).toBe(true);
  expect(warnings()).toHaveLength(2);

  list("broken", [second]);
  await until(() => stateOf(second) === "T", "the second is stopped");
  await until(() => stateOf(first) !== "T", "the first is released");
  await endFollowing(following);
});

test("a process on the list that is gone or protected is told of once, and does no harm to others", async () => {
  const [pid = 0] = await startSleepers(1);
  const gone = await start(["true"]);
  await exitOf(gone);
  const following = await follow(list("mixed", [gone.pid, 1, pid]));
  await hobbles(following, pid);
  await observe(pid, 100); // some more readings
  const failed = following.events().filter(({ event }) => event === "failed");
  expect(failed.map((event) => [event.pid, event.code]).sort()).toEqual(
    [
      [1, "ERR_PROTECTED"],
      [gone.pid, "ESRCH"],
    ].sort(),
  );
  await endFollowing(following);
});

test("a list of a process and its child, as trees: the child is hobbled with its parent", async () => {
  const { pid, child } = await start(["sh", "-c", "setpriv --pdeathsig KILL sleep 100 & echo $!; wait"]);
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  await until(() => text.endsWith("\n"), "it tells its child's PID");
  const following = await hobble([
    "attach",
    "--from",
    list("tree", [pid, Number(text)]),
    "--every",
    "20ms",
    "--tree",
    "--json",
    ...longStop,
  ]);
  await until(() => stateOf(Number(text)) === "T" && stateOf(pid) === "T", "both are stopped");
  expect(following.events().filter(({ event }) => event === "failed")).toEqual([]);
  await endFollowing(following);
});

test("--name follows the processes of a program", async () => {
  const name = `hob${process.pid}`;
  const program = join(directory, name);
  copyFileSync("/bin/sleep", program);
  const first = await start([program, "100"]);
  const following = await hobble(["attach", "--name", `^${name}$`, "--every", "50ms", "--json", ...longStop]);
  await hobbles(following, first.pid);
  const second = await start([program, "100"]);
  await hobbles(following, second.pid);
  await until(() => stateOf(first.pid) === "T" && stateOf(second.pid) === "T", "both are stopped");
  first.child.kill("SIGKILL");
  await until(() => following.events().some(({ event, pid }) => event === "exit" && pid === first.pid), "it tells of the exit");
  await endFollowing(following);
  expect(await runsOn(second.pid)).toBe(true);
});
