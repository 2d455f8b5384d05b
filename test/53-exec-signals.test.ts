import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "./helpers/cli.js";
import { execWords, result, startExec } from "./helpers/exec.js";
import { newFolder } from "./helpers/folders.js";
import { childrenOf, observe, processName, runsOn, stateOf, until } from "./helpers/processes.js";

const halfCycle = ["--run", "20ms", "--stop", "20ms"];
/** Hardly ever runs by itself. */
const longStop = ["--run", "1ms", "--stop", "1h"];

const trapping = (signal: string) => ["bash", "-c", `trap 'echo got ${signal}' ${signal}; echo ready; while :; do sleep 0.05; done`];

test("the command is hobbled", async () => {
  const { commandPid } = await startExec(["sh", "-c", "echo ready; while :; do :; done"], halfCycle);
  const states = await observe(commandPid, 200);
  expect(states.get("T")).toBeGreaterThan(40);
  expect(states.get("R")).toBeGreaterThan(40);
});

test.each(["USR1", "USR2", "TERM", "INT", "HUP", "QUIT", "ALRM", "WINCH", "ABRT", "XCPU", "RTMIN"])("%s is passed on", async (signal) => {
  const exec = await startExec(trapping(signal), halfCycle);
  await result(["kill", `-${signal}`, String(exec.pid)]);
  await exec.says(`got ${signal}`);
  expect(stateOf(exec.pid)).not.toBe("gone");
});

test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const)("%s ends a command that has an hour of stop before it", async (signal) => {
  const exec = await run(execWords(["sleep", "60"], longStop));
  const stopped = () => childrenOf(exec.pid).find((pid) => stateOf(pid) === "T");
  await until(() => stopped() !== undefined, "the command is stopped");
  const commandPid = stopped() ?? 0;
  exec.child.kill(signal);
  expect(await exec.exit).toBe(signal);
  expect(stateOf(commandPid)).toBe("gone");
});

test("the hang-up of a terminal that it leads is passed on", async () => {
  const file = join(newFolder(), "hung-up");
  const command = ["bash", "-c", `trap 'echo yes >${file}; exit' HUP; echo ready; while :; do sleep 0.05; done`];
  // The program on a pseudo-terminal of its own, leader of its session; with the one who has the other end, the line goes.
  const terminal = await run(["python3", "-c", "import pty, sys; pty.spawn(sys.argv[1:])", ...execWords(command, halfCycle)]);
  await until(() => terminal.stdout().includes("ready"), "the command is ready");
  const [exec = 0] = childrenOf(terminal.pid);
  terminal.child.kill("SIGKILL");
  await until(() => existsSync(file), "the command heard of it");
  await until(() => stateOf(exec) === "gone", "hobble has ended with it");
});

test("a command that outlives SIGTERM is hobbled again", async () => {
  const exec = await startExec(trapping("TERM"), ["--run", "5ms", "--stop", "100ms"]);
  exec.child.kill("SIGTERM");
  await exec.says("got TERM");
  await until(() => stateOf(exec.commandPid) === "T", "it is stopped again", 2000);
});

test("a signal that the command sends to its whole group is not sent to it again", async () => {
  const counting = `import os, signal, sys, time
count = 0
def handle(*_):
    global count
    count += 1
signal.signal(signal.SIGUSR1, handle)
print("ready", flush=True)
if os.fork() == 0:
    os.kill(0, signal.SIGUSR1)
    os._exit(0)
deadline = time.monotonic() + 0.5
while time.monotonic() < deadline: time.sleep(0.01)
print(count)`;
  // A session of its own: the group is not that of the tests.
  const ended = await result(execWords(["python3", "-c", counting], halfCycle), { detached: true });
  expect(ended).toMatchObject({ exit: 0, stdout: "ready\n1\n" });
});

test("a daemon that forks twice stays hobbled", async () => {
  const exec = await startExec(["sh", "-c", "(setsid sleep 30 >/dev/null 2>&1 & ); echo ready; exec sleep 30"], halfCycle);
  await until(
    () => childrenOf(exec.pid).some((pid) => pid !== exec.commandPid && processName(pid) === "sleep"),
    "hobble adopts the daemon",
  );
  const daemon = childrenOf(exec.pid).find((pid) => pid !== exec.commandPid) ?? 0;
  await until(() => stateOf(daemon) === "T", "the daemon is stopped", 2000);
  expect((await observe(daemon, 200)).get("T")).toBeGreaterThan(40);
  exec.child.kill("SIGTERM");
  await exec.exit;
  expect(await runsOn(daemon)).toBe(true);
  process.kill(daemon, "SIGKILL");
});

test("orphans that have exited are collected", async () => {
  const exec = await startExec(["bash", "-c", "for i in 1 2 3 4 5 6 7 8; do (true & ); done; echo ready; exec sleep 30"], halfCycle);
  await until(() => childrenOf(exec.pid).length === 1, "only the command is left", 2000);
});

test("it ends with the command", async () => {
  const began = performance.now();
  const exec = await run(execWords(["sh", "-c", "(sleep 3 &) >/dev/null 2>&1 </dev/null; exit 7"], halfCycle));
  expect(await exec.exit).toBe(7);
  expect(performance.now() - began).toBeLessThan(2500);
});

test("--wait-all: it ends with the last descendant, as the command ended", async () => {
  const began = performance.now();
  const exec = await run(execWords(["sh", "-c", "(sleep 2 &) >/dev/null 2>&1 </dev/null; exit 7"], [...halfCycle, "--wait-all"]));
  expect(await exec.exit).toBe(7);
  expect(performance.now() - began).toBeGreaterThan(1900);
});

test("--wait-all: once the command has ended, SIGTERM ends the waiting", async () => {
  const exec = await run(execWords(["sh", "-c", "(sleep 20 &) >/dev/null 2>&1 </dev/null"], [...halfCycle, "--wait-all"]));
  await until(() => childrenOf(exec.pid).some((pid) => processName(pid) === "sleep"), "the orphan is adopted");
  const [orphan = 0] = childrenOf(exec.pid).filter((pid) => processName(pid) === "sleep");
  await until(() => childrenOf(exec.pid).length === 1, "the command has ended");
  exec.child.kill("SIGTERM");
  expect(await exec.exit).toBe("SIGTERM");
  expect(await runsOn(orphan)).toBe(true);
  process.kill(orphan, "SIGKILL");
});
