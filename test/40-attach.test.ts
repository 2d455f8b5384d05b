import { describe, expect, test } from "vitest";
import { cliPath, hobble, hobbles, run } from "./helpers/cli.js";
import { cpuSecondsOf, end, goneProcess, runsOn, start, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

const cycle = ["--run", "10ms", "--stop", "250ms"];
const longStop = ["--run", "1ms", "--stop", "10m"];

describe("bad input is refused with a message and the documented exit code", () => {
  const usage = 2;
  const gone = 3;
  const notPermitted = 4;
  test.each<[string, (string | number)[], number, RegExp]>([
    ["PID 0", [0, ...cycle], usage, /^hobble: "0" is not a PID \(a whole number from 1 to 4194304\)\n$/],
    ["a negative PID", [-5, ...cycle], usage, /^hobble: "-5" is not a PID/],
    ["a word", ["abc", ...cycle], usage, /^hobble: "abc" is not a PID/],
    ["a PID beyond the largest", [99999999, ...cycle], usage, /^hobble: "99999999" is not a PID/],
    ["one bad PID among good ones", [1, "x", ...cycle], usage, /^hobble: "x" is not a PID/],
    ["PID 1", [1, ...cycle], notPermitted, /^hobble: 1: process 1 is protected/],
    ["a kernel thread", [2, ...cycle], notPermitted, /^hobble: 2: .*kernel thread/],
    ["an ancestor", [process.pid, ...cycle], notPermitted, /^hobble: \d+: .*ancestor/],
    ["run 0", [1, "--run", 0, "--stop", "1ms"], usage, /^hobble: run must be a duration from 100 us to 1 h, such as "10ms", not '0'\n$/],
    ["stop -1", [1, "--run", "1ms", "--stop", -1], usage, /^hobble: stop must be .* not '-1'/],
    ["parsecs", [1, "--run", "10 parsecs", "--stop", "1ms"], usage, /^hobble: run must be .* not '10 parsecs'/],
    ["NaN", [1, "--run", "NaN", "--stop", "1ms"], usage, /^hobble: run must be .* not 'NaN'/],
    ["1e300", [1, "--run", "1e300", "--stop", "1ms"], usage, /^hobble: run must be .* not '1e300'/],
    ["a run beyond an hour", [1, "--run", "61m", "--stop", "1ms"], usage, /^hobble: run must be .* not '61m'/],
    ["no stop", [1, "--run", "1ms"], usage, /^hobble: give --run and --stop, or --cpu, or --pool-cpu/],
    ["nothing to hobble", [...cycle], usage, /^hobble: give PIDs, or --from, or --name/],
    ["two sources", [1, "--from", "x", ...cycle], usage, /^hobble: give PIDs, or --from, or --name/],
    ["a tree that is a group", [1, "--tree", "--group", ...cycle], usage, /^hobble: give --tree or --group/],
    ["an interval without a list", [1, "--every", "1s", ...cycle], usage, /^hobble: --every goes with/],
    ["an interval of nothing", ["--from", "x", "--every", "0s", ...cycle], usage, /^hobble: --every must be from 10ms to 24h/],
    ["a pattern that is none", ["--name", "(", ...cycle], usage, /^hobble: --name: Invalid regular expression/],
    ["a bad phase", [1, "--phase", "late", ...cycle], usage, /^hobble: phase must be/],
    ["a bad precision", [1, "--precision", "perfect", ...cycle], usage, /^hobble: precision must be one of/],
    ["a bad concurrency", [1, "--concurrency", 0, ...cycle], usage, /^hobble: concurrency must be/],
    ["a bad end", [1, "--for", "soon", ...cycle], usage, /^hobble: for must be a duration/],
    ["an unknown option", [1, "--forever", ...cycle], usage, /unknown option '--forever'/],
    ["a list that is not there", ["--from", "/nowhere/list", ...cycle], 1, /^hobble: \/nowhere\/list: there is no such file\n$/],
  ])("%s", async (_, args, code, message) => {
    const attach = await hobble(["attach", ...args]);
    expect(await attach.exit).toBe(code);
    expect(attach.stderr()).toMatch(message);
    expect(attach.stdout()).toBe("");
  });

  test("a process that is gone", async () => {
    const attach = await hobble(["attach", await goneProcess(), ...cycle]);
    expect(await attach.exit).toBe(gone);
    expect(attach.stderr()).toMatch(/^hobble: \d+: there is no process \d+\n$/);
  });

  test.runIf(process.getuid?.() === 0)("a process of another user", async () => {
    const { pid } = await startSleeper();
    const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    const attach = await run([...asNobody, process.execPath, cliPath, "attach", String(pid), ...cycle]);
    expect(await attach.exit).toBe(notPermitted);
    expect(attach.stderr()).toMatch(/^hobble: \d+: .*not permitted/);
    expect(await runsOn(pid)).toBe(true);
  });
});

describe("attach", () => {
  test("hobbles for as long as --for says, and tells what came of it", async () => {
    const { pid } = await startBurner();
    const before = cpuSecondsOf(pid);
    const attach = await hobble(["attach", pid, ...cycle, "--for", "2s"]);
    expect(await attach.exit).toBe(0);
    expect(cpuSecondsOf(pid) - before).toBeLessThan(1);
    expect(await runsOn(pid)).toBe(true);
    expect(attach.stderr()).toBe("");
    expect(attach.stdout()).toMatch(/^targets +1 hobbled\nduty +asked 3\.85 %, achieved 3\.\d+ %\nsignals +\d+ in 2\.\d+ s/);
    expect(attach.stdout()).toMatch(/\nown CPU +engine \d/);
  });

  test("ends by itself when every target has exited", async () => {
    const [first, second] = [await startSleeper(), await startSleeper()];
    const attach = await hobble(["attach", first.pid, second.pid, ...longStop, "--json"]);
    await hobbles(attach, first.pid);
    await hobbles(attach, second.pid);
    await end(first);
    await until(() => attach.events().some(({ event, pid }) => event === "exit" && pid === first.pid), "it tells of the exit");
    expect(stateOf(second.pid)).toBe("T");
    await end(second);
    expect(await attach.exit).toBe(0);
    expect(attach.events().at(-1)).toMatchObject({ event: "summary", hobbled: 2, failed: 0, stats: { signals: expect.any(Number) } });
  });

  test("hobbles those that it can and tells of the others", async () => {
    const { pid } = await startSleeper();
    const gone = await goneProcess();
    const attach = await hobble(["attach", pid, pid, gone, 1, ...cycle, "--for", "1s", "--json"]);
    expect(await attach.exit).toBe(0);
    const failed = attach.events().filter(({ event }) => event === "failed");
    expect(failed).toEqual(
      expect.arrayContaining([
        { event: "failed", pid: gone, code: "ESRCH", message: expect.any(String) },
        { event: "failed", pid: 1, code: "ERR_PROTECTED", message: expect.any(String) },
      ]),
    );
    expect(attach.events().at(-1)).toMatchObject({ event: "summary", hobbled: 1, failed: 2 });
  });

  test("takes a tree, and a group", async () => {
    for (const flag of ["--tree", "--group"]) {
      const { pid, child } = await start(["sh", "-c", "while read line; do :; done"], {
        detached: true,
      });
      const attach = await hobble(["attach", pid, flag, ...longStop, "--json"]);
      await hobbles(attach, pid);
      expect(attach.events()).toContainEqual({ event: "hobbled", pid, kind: flag.slice(2) });
      child.kill("SIGKILL");
      expect(await attach.exit).toBe(0);
    }
  });

  test("ends when the reader of its output goes away", async () => {
    const { pid } = await startSleeper();
    const attach = await hobble(["attach", pid, ...longStop, "--json"]);
    await hobbles(attach, pid);
    attach.child.stdout?.destroy();
    process.kill(pid, "SIGKILL"); // makes it write
    expect(await attach.exit).toBe(0);
    expect(attach.stderr()).toBe("");
  });
});

test.each([[[]], [["attach"]], [["demo"]], [["exec"]], [["doctor"]]])("hobble %j --help shows examples and exit codes", async (command) => {
  const help = await hobble([...command, "--help"]);
  expect(await help.exit).toBe(0);
  expect(help.stdout()).toMatch(/Examples?:\n +hobble /);
  expect(help.stdout()).toMatch(/Exit codes:\n/);
});

test("hobble --version", async () => {
  const version = await hobble(["--version"]);
  expect(await version.exit).toBe(0);
  expect(version.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [[], 2],
  [["frobnicate"], 2],
])("hobble %j ends with %d", async (args, code) => {
  expect(await (await hobble(args)).exit).toBe(code);
});
