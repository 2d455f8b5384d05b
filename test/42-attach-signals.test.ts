import { describe, expect, test } from "vitest";
import { cliPath, hobble, hobbles, run } from "./helpers/cli.js";
import { end, exitOf, observe, runsOn, start, startSleeper, stateOf, until } from "./helpers/processes.js";
import { rounds, roundsTimeoutMs } from "./helpers/rounds.js";
import { Terminal } from "./helpers/terminal.js";

const longStop = ["--run", "1ms", "--stop", "10m"];
const ctrlC = "\u0003";
const ctrlZ = "\u001a";

describe("in the middle of a stop window", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s resumes everything and ends with 0",
    { timeout: roundsTimeoutMs },
    async (signal) => {
      for (let round = 0; round < rounds; round++) {
        const { pid } = await startSleeper();
        const attach = await hobble(["attach", pid, ...longStop, "--json"]);
        await hobbles(attach, pid);
        await until(() => stateOf(pid) === "T", "it is stopped");
        attach.child.kill(signal);
        expect(await attach.exit).toBe(0);
        expect(stateOf(pid)).not.toBe("T");
      }
    },
  );

  test("a signal right after another does no harm", async () => {
    const { pid } = await startSleeper();
    const attach = await hobble(["attach", pid, ...longStop, "--json"]);
    await hobbles(attach, pid);
    const signals = ["SIGINT", "SIGTERM", "SIGINT", "SIGHUP"] as const;
    for (const signal of signals) attach.child.kill(signal);
    // One that comes when Node has put its handlers away ends it after all. By then everything runs.
    expect([0, ...signals]).toContain(await attach.exit);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("SIGTERM is obeyed while nobody reads the output", async () => {
    const { pid } = await startSleeper();
    const gone = Array.from({ length: 2000 }, (_, index) => String(4_190_000 + index)); // 200 kB of messages, the pipe holds 64
    const { child } = await start([process.execPath, cliPath, "attach", String(pid), ...gone, ...longStop, "--json"]);
    await until(() => stateOf(pid) === "T", "it is stopped");
    child.kill("SIGTERM");
    await until(() => stateOf(pid) !== "T", "it is resumed");
    expect(await runsOn(pid)).toBe(true);
    child.stdout?.destroy();
    expect(await exitOf({ pid: child.pid ?? 0, child })).toBe(0);
  });

  test("a stop from the terminal resumes everything first; it goes on with SIGCONT", async () => {
    for (const signal of ["SIGTSTP", "SIGTTIN", "SIGTTOU"] as const) {
      const { pid } = await startSleeper();
      const attach = await hobble(["attach", pid, ...longStop, "--json"]);
      await hobbles(attach, pid);
      await until(() => stateOf(pid) === "T", "it is stopped");
      attach.child.kill(signal);
      await until(() => stateOf(attach.pid) === "T", "hobble is stopped");
      expect(await runsOn(pid)).toBe(true);
      attach.child.kill("SIGCONT");
      await until(() => stateOf(pid) === "T", "it is stopped again");
      attach.child.kill("SIGTERM");
      expect(await attach.exit).toBe(0);
      expect(stateOf(pid)).not.toBe("T");
    }
  });
});

test("without a shell that could continue it, a stop from the terminal does not stop it", async () => {
  const { pid } = await startSleeper();
  // A session of its own: its process group has no parent in it.
  const attach = await run([process.execPath, cliPath, "attach", String(pid), ...longStop, "--json"], { detached: true });
  await until(() => stateOf(pid) === "T", "it is stopped");
  attach.child.kill("SIGTSTP");
  expect((await observe(attach.pid, 300)).get("T")).toBeUndefined();
  await until(() => stateOf(pid) === "T", "it is hobbled on");
  attach.child.kill("SIGTERM");
  expect(await attach.exit).toBe(0);
});

describe("on a terminal", () => {
  const attachTo = (pid: number, ...flags: string[]) => [process.execPath, cliPath, "attach", pid, ...longStop, ...flags].join(" ");

  test("Ctrl-Z, fg and Ctrl-C do what a user expects", async () => {
    const { pid } = await startSleeper();
    const terminal = await Terminal.open();
    terminal.type(`${attachTo(pid)}\n`);
    await terminal.shows(/hobbling 1 target \(1 member\), \d+ signals\/s, lateness p99 /);
    expect(stateOf(pid)).toBe("T");

    terminal.type(ctrlZ);
    await terminal.shows(/Stopped/);
    expect(await runsOn(pid)).toBe(true);

    terminal.type("fg\n");
    await until(() => stateOf(pid) === "T", "it is stopped again");
    expect(await observe(pid, 50)).toEqual(new Map([["T", 50]]));

    terminal.type(ctrlC);
    await terminal.shows(/targets +1 hobbled/);
    terminal.type("echo code $?\n");
    await terminal.shows(/code 0\r/);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("in the background it hobbles, and leaves the terminal alone", async () => {
    const { pid } = await startSleeper();
    const terminal = await Terminal.open();
    terminal.type(`stty tostop\n${attachTo(pid)} &\n`);
    await until(() => stateOf(pid) === "T", "it is stopped");
    // Long enough for a status line: with tostop, writing it would stop hobble or hang it.
    expect((await observe(pid, 1500)).get("T")).toBe(1500);
    terminal.type("kill %1; fg\n");
    await terminal.shows(/targets +1 hobbled/);
    expect(stateOf(pid)).not.toBe("T");
  });

  test("in the background, a terminal that stops jobs for their output gets everything resumed first", async () => {
    const [first, second] = [await startSleeper(), await startSleeper()];
    const terminal = await Terminal.open();
    terminal.type(`stty tostop\n${attachTo(first.pid, String(second.pid))} &\n`);
    await until(() => [first, second].every(({ pid }) => stateOf(pid) === "T"), "both are stopped");
    await end(first); // makes it write
    await until(() => stateOf(second.pid) !== "T", "the other is resumed");
    expect(await runsOn(second.pid)).toBe(true);
    terminal.type("fg\n");
    await terminal.shows(new RegExp(`process ${first.pid} has exited`));
    await until(() => stateOf(second.pid) === "T", "the other is stopped again");
    terminal.type(ctrlC);
    await terminal.shows(/targets +2 hobbled/);
    expect(stateOf(second.pid)).not.toBe("T");
  });

  test("a job of an interactive shell is hobbled with a warning; the shell's tree without", async () => {
    const terminal = await Terminal.open();
    terminal.type("sleep 100 &\n");
    await until(() => terminal.jobs.length === 1, "the job runs");
    const [job = 0] = terminal.jobs;
    const attach = await hobble(["attach", job, ...longStop]);
    await until(() => stateOf(job) === "T" && attach.stderr().endsWith("\n"), "it is stopped, with a warning");
    expect(attach.stderr()).toMatch(
      new RegExp(`^hobble: ${job} is a job of an interactive shell \\(bash, \\d+\\), .*hobble attach \\d+ --tree\\n$`),
    );
    attach.child.kill("SIGINT");
    expect(await attach.exit).toBe(0);

    const shell = Number(/attach (\d+) --tree/.exec(attach.stderr())?.[1]);
    const whole = await hobble(["attach", shell, "--tree", ...longStop]);
    await until(() => stateOf(job) === "T" && stateOf(shell) === "T", "both are stopped");
    whole.child.kill("SIGINT");
    expect(await whole.exit).toBe(0);
    expect(whole.stderr()).toBe("");
    expect([stateOf(job), stateOf(shell)]).not.toContain("T");
  });

  test("a job of a shell that is not interactive is hobbled without a warning", async () => {
    const { pid } = await startSleeper();
    const attach = await hobble(["attach", pid, ...longStop, "--for", "200ms"]);
    expect(await attach.exit).toBe(0);
    expect(attach.stderr()).toBe("");
  });
});
