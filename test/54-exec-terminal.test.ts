/** A hobbled command as a job of an interactive shell: that it is hobbled must make no difference. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { execWords, hobbleWords, quickCycle } from "./helpers/exec.js";
import { childrenOf, observe, processName, stateOf, until } from "./helpers/processes.js";
import { Terminal } from "./helpers/terminal.js";

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const ctrlZ = "\u001a";
/** A signal from the terminal nearly always arrives in a stop window. */
const mostlyStopped = ["--run", "5ms", "--stop", "150ms"];
const mostlyRunning = ["--run", "150ms", "--stop", "5ms"];

const directory = mkdtempSync(join(tmpdir(), "hobble-exec-"));
afterAll(() => rmSync(directory, { recursive: true }));

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});

/** The command line of a hobbled command. */
function hobbled(command: readonly string[], flags: readonly string[] = quickCycle): string {
  return execWords(command, flags)
    .map((word) => `'${word}'`)
    .join(" ");
}

/** The last member of a job that bears this name, once it is there: hobble is the first, then come its children and theirs. */
async function memberOfJob(name: string): Promise<number> {
  let found: number | undefined;
  const descendants = (pid: number): number[] => childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
  await until(() => {
    found = terminal.jobs.flatMap(descendants).findLast((pid) => processName(pid) === name);
    return found !== undefined;
  }, `${name} runs`);
  if (found === undefined) throw new Error("unreachable");
  return found;
}

const prompt = /\$ $/;

async function staysStopped(pid: number): Promise<void> {
  expect(await observe(pid, 200)).toEqual(new Map([["T", 200]]));
}

async function isHobbled(pid: number): Promise<void> {
  await until(() => stateOf(pid) !== "T", `${pid} runs`);
  await until(() => stateOf(pid) === "T", `${pid} is stopped`);
}

/** Ctrl-Z and `fg`. */
async function stopsAndGoesOn(pid: number): Promise<void> {
  terminal.type(ctrlZ);
  await terminal.shows(/Stopped/);
  await staysStopped(pid);
  terminal.type("fg\n");
  await isHobbled(pid);
}

async function exitCode(code: number): Promise<void> {
  terminal.type("echo code $?\n");
  await terminal.shows(new RegExp(`code ${code}\r`));
}

test("what is typed goes to the command", async () => {
  terminal.type(`${hobbled(["cat"])}\n`);
  await memberOfJob("cat");
  terminal.type("hello\n");
  await terminal.shows(/hello\r\nhello\r\n/);
  terminal.type(ctrlD);
  await terminal.shows(prompt);
  await exitCode(0);
});

test("Ctrl-C ends the command in the middle of an hour of stop", async () => {
  terminal.type(`${hobbled(["sleep", "60"], ["--run", "1ms", "--stop", "1h"])}\n`);
  await until(() => terminal.jobs.flatMap(childrenOf).some((pid) => stateOf(pid) === "T"), "the command is stopped");
  terminal.type(ctrlC);
  await terminal.shows(prompt);
  await exitCode(130);
});

test.each([
  ["in a stop window", mostlyStopped],
  ["in a run window", mostlyRunning],
])("Ctrl-Z %s stops the command for good, fg goes on, again and again", async (_, flags) => {
  terminal.type(`${hobbled(["sleep", "60"], flags)}\n`);
  const pid = await memberOfJob("sleep");
  for (let round = 0; round < 3; round++) {
    await stopsAndGoesOn(pid);
  }
  terminal.type(ctrlC);
  await terminal.shows(prompt);
  await exitCode(130);
});

test("Ctrl-Z then bg: hobbled in the background, and ended from the shell", async () => {
  terminal.type(`${hobbled(["sleep", "60"])}\n`);
  const pid = await memberOfJob("sleep");
  terminal.type(ctrlZ);
  await terminal.shows(/Stopped/);
  terminal.type("bg\n");
  await isHobbled(pid);
  terminal.type("jobs\n");
  await terminal.shows(/Running/);
  terminal.type("kill %1; wait %1\n");
  await terminal.shows(/Terminated/);
  await until(() => stateOf(pid) === "gone", "the command is gone");
});

test("Ctrl-Z stops the descendants of the command too", async () => {
  terminal.type(`${hobbled(["sh", "-c", "sleep 60; true"], mostlyStopped)}\n`);
  const pid = await memberOfJob("sleep");
  await stopsAndGoesOn(pid);
});

test("Ctrl-Z while only descendants of the command are left stops them and hobble", async () => {
  terminal.type(`${hobbled(["sh", "-c", "sleep 60 & exit 0"], [...mostlyStopped, "--wait-all"])}\n`);
  const pid = await memberOfJob("sleep");
  // Its child until then.
  const left = () => terminal.jobs.map(childrenOf).find((children) => children.includes(pid));
  await until(() => left()?.length === 1, "the command has ended");
  await stopsAndGoesOn(pid);
  terminal.type(ctrlC);
  await terminal.shows(prompt);
});

test("in the background, with a terminal that stops jobs for their output, it says what is wrong and ends", async () => {
  const words = [...hobbleWords, "exec", ...quickCycle, "--", "/no/such/command"];
  terminal.type(`stty tostop\n${words.join(" ")} & wait $!; echo code $?\n`);
  await terminal.shows(/there is no command "\/no\/such\/command"/);
  await terminal.shows(/code 127\r/);
});

test("Ctrl-Z stops a whole pipeline, and fg continues it", async () => {
  terminal.type(`${hobbled(["cat"])} | tr a-z A-Z\n`);
  await memberOfJob("cat");
  terminal.type(ctrlZ);
  await terminal.shows(/Stopped/);
  terminal.type("fg\n");
  await terminal.shows(/fg\r\n.*tr a-z A-Z\r\n/);
  terminal.type(`through the pipe\n${ctrlD}`);
  await terminal.shows(/THROUGH THE PIPE/);
});

// It does not print at once: with the signal, Ctrl-Z throws away what has been written to the terminal and not been read.
const catching = `import os, signal, time
def tidy(*_):
    time.sleep(0.2)
    print("tidying", flush=True)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, tidy)
    print("back", flush=True)
signal.signal(signal.SIGTSTP, tidy)
print("ready", flush=True)
while True: time.sleep(0.01)`;

test.each([
  ["in a stop window", mostlyStopped],
  ["in a run window", mostlyRunning],
])("Ctrl-Z %s, and a command that tidies up before it stops", async (_, flags) => {
  const program = join(directory, "catching.py");
  writeFileSync(program, catching);
  terminal.type(`${hobbled(["python3", program], flags)}\n`);
  await terminal.shows(/\nready\r/, 15_000);
  for (let round = 0; round < 2; round++) {
    terminal.type(ctrlZ);
    await terminal.shows(/tidying\r.*Stopped/s);
    terminal.type("fg\n");
    await terminal.shows(/\nback\r/);
  }
});

test("a command that stops only itself stops the job", async () => {
  // It does so at the beginning of a run window: a cycle that goes on before hobble has noticed would continue it.
  terminal.type(`${hobbled(["bash", "-c", "kill -TSTP $$; echo on again; exec sleep 60"], ["--run", "1s", "--stop", "100ms"])}\n`);
  await terminal.shows(/Stopped/);
  terminal.type("fg\n");
  await terminal.shows(/\non again\r/);
  await isHobbled(await memberOfJob("sleep"));
});

test("a command that ignores Ctrl-Z goes on", async () => {
  terminal.type(`${hobbled(["sh", "-c", 'trap "" TSTP; echo ignoring; exec sleep 60'])}\n`);
  await terminal.shows(/\nignoring\r/);
  const pid = await memberOfJob("sleep");
  terminal.type(ctrlZ);
  await isHobbled(pid);
  terminal.type(ctrlC);
  await terminal.shows(prompt);
  await exitCode(130);
});

test("a background command that reads the terminal waits for fg", async () => {
  terminal.type(`${hobbled(["cat"])} &\n`);
  const pid = await memberOfJob("cat");
  await until(() => terminal.jobs.every((job) => stateOf(job) === "T"), "the job is stopped");
  await staysStopped(pid);
  terminal.type("fg\n");
  await terminal.shows(/fg\r\n.*\r\n/);
  terminal.type(`typed later\n${ctrlD}`);
  await terminal.shows(/typed later\r\ntyped later\r\n/);
});

test("what the command does to the terminal lasts", async () => {
  terminal.type(`${hobbled(["stty", "erase", "#"])}\n`);
  await terminal.shows(prompt);
  terminal.type("stty -a\n");
  await terminal.shows(/erase = #;/);
});
