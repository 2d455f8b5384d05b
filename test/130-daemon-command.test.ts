import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DaemonProcess } from "./helpers/daemon-process.js";
import { hobbleWords, result } from "./helpers/exec.js";
import { exitOf, runsOn, start, startSleeper, stateOf, until } from "./helpers/processes.js";
import { isRoot, makeUser, startAs } from "./helpers/users.js";

const listed = (list: string, extra = "") => `
[[rule]]
name = "tarpit"
match = { pidFile = "${list}" }
hobble = { run = "5ms", stop = "200ms" }
${extra}`;

describe("a day in the life of a daemon", () => {
  test("start, load, reload, crash, restart, off, on, stop: every process is accounted for", { timeout: 90_000 }, async () => {
    const daemon = new DaemonProcess("");
    const list = join(daemon.folder, "tarpit");
    const sleepers = await Promise.all(Array.from({ length: 20 }, startSleeper));
    const pids = sleepers.map(({ pid }) => pid).sort((a, b) => a - b);
    const bystander = await startSleeper();
    writeFileSync(list, pids.join("\n"));
    // Somebody who spends too much, where users can be made.
    const student = isRoot ? makeUser(`hobble-day-${process.pid}`) : undefined;
    const hog = student && (await startAs(student.name, ["sh", "-c", "while :; do :; done"]));
    const rules = listed(
      list,
      student &&
        `[[quota]]\nname = "daily"\nper = "user"\ncpuSeconds = 0.5\nevery = "1d"\nmatch = { user = "${student.name}" }\ntiers = [{ limit = "10%" }]\n`,
    );
    const wanted = [...pids, ...(hog ? [hog.pid] : [])].sort((a, b) => a - b);
    daemon.configure(rules);

    let running = await daemon.start();
    await until(() => running.stdout().split('"event":"hobbled"').length > wanted.length, "all are hobbled");
    expect(await daemon.targets()).toEqual(wanted);
    expect(await daemon.hobble("explain", pids[0] ?? 0)).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('imposed by    rule "tarpit"'),
    });
    expect(await daemon.hobble("explain", bystander.pid)).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/runs freely[\s\S]*tarpit: failed/),
    });

    // A second daemon is refused before it touches anything.
    const second = await result([...hobbleWords, "daemon", "-c", daemon.file]);
    expect(second).toMatchObject({ exit: 1, stderr: expect.stringContaining("another daemon answers there") });

    // A broken configuration leaves the old one in force.
    daemon.configure(`${rules}[[rule]]\nname = 7\n`);
    const reload = await daemon.hobble("reload");
    expect(reload.exit).toBe(1);
    expect(reload.stderr).toMatch(/hobble\.toml:\d+:\d+: [\s\S]*the old configuration stays in force/);
    expect(await daemon.targets()).toEqual(wanted);
    daemon.configure(rules);
    process.kill(running.pid, "SIGHUP");
    await until(() => running.stdout().includes('"event":"reloaded"'), "it has read it again");

    // By hand: and lifted again.
    expect(await daemon.hobble("add", bystander.pid, "--run", "5ms", "--stop", "200ms", "--reason", "too loud")).toMatchObject({ exit: 0 });
    await until(() => stateOf(bystander.pid) === "T", "the bystander is stopped");
    expect((await daemon.hobble("rm", bystander.pid)).exit).toBe(0);
    expect(await runsOn(bystander.pid)).toBe(true);

    // Killed with no chance to tidy up: the guardian resumes everything, and the next daemon takes it up again.
    process.kill(running.pid, "SIGKILL");
    await exitOf(running);
    await until(() => pids.every((pid) => stateOf(pid) === "S"), "all run after the crash");
    for (const pid of pids) expect(await runsOn(pid), String(pid)).toBe(true);
    running = await daemon.start();
    // What had been spent is known to it: nobody starts the day anew.
    await until(() => running.stdout().split('"event":"hobbled"').length > wanted.length, "all are hobbled again");
    expect(await daemon.targets()).toEqual(wanted);
    if (hog) expect((await daemon.hobble("explain", hog.pid)).stdout).toMatch(/quota "daily"/);

    // The big red button, natively and by command.
    process.kill(running.pid, "SIGUSR2");
    await until(() => running.stdout().includes('"by":"SIGUSR2"'), "it is off");
    for (const pid of pids) expect(await runsOn(pid), String(pid)).toBe(true);
    expect(await daemon.json("status")).toMatchObject({ off: { by: "SIGUSR2" } });
    expect((await daemon.hobble("on")).exit).toBe(0);
    await until(() => pids.some((pid) => stateOf(pid) === "T"), "it is on");
    expect((await daemon.hobble("off")).stdout).toMatch(/everything runs freely/);
    expect(await runsOn(pids[0] ?? 0)).toBe(true);
    expect((await daemon.hobble("on")).exit).toBe(0);

    // One exits, one leaves the list.
    const [gone, freed] = sleepers;
    process.kill(gone?.pid ?? 0, "SIGKILL");
    writeFileSync(list, pids.filter((pid) => pid !== freed?.pid).join("\n"));
    await until(() => running.stdout().includes('"event":"released"') && running.stdout().includes('"event":"exited"'), "both are told");
    expect(await runsOn(freed?.pid ?? 0)).toBe(true);
    expect(await daemon.targets()).toEqual(wanted.filter((pid) => pid !== freed?.pid && pid !== gone?.pid));

    process.kill(running.pid, "SIGTERM");
    expect(await running.exit).toBe(0);
    for (const { pid } of [...sleepers, bystander, ...(hog ? [hog] : [])])
      if (pid !== gone?.pid) expect(await runsOn(pid), String(pid)).toBe(true);
    expect(await daemon.hobble("status")).toMatchObject({ exit: 5, stderr: expect.stringContaining("no daemon answers at") });
  });
});

test.runIf(isRoot)("a full disk: it is told, hobbling goes on, and the state is written when there is room", async () => {
  const { pid } = await startSleeper();
  const daemon = new DaemonProcess("");
  const disk = join(daemon.folder, "disk");
  const list = join(daemon.folder, "tarpit");
  mkdirSync(disk);
  writeFileSync(list, String(pid));
  daemon.state = join(disk, "state.json");
  daemon.configure(listed(list));
  const fill = `mount -t tmpfs -o size=16k hobble-test ${disk} && ! head -c 64k /dev/zero >${disk}/ballast 2>/dev/null; exec "$@"`;
  const running = await daemon.start(process.env, ["unshare", "--mount", "sh", "-c", fill, "sh"]);
  await until(() => stateOf(pid) === "T", "it is stopped");
  await until(() => running.stdout().includes("quotas cannot be saved"), "it is told");
  expect(running.stdout()).toMatch(/ENOSPC/);
  expect(await daemon.targets()).toEqual([pid]);
  // As it sees its disk.
  const seen = `/proc/${running.pid}/root${disk}`;
  expect(existsSync(`${seen}/state.json`)).toBe(false);
  rmSync(`${seen}/ballast`);
  expect((await daemon.hobble("off")).exit).toBe(0);
  await until(() => existsSync(`${seen}/state.json`), "the state is written");
  expect(JSON.parse(readFileSync(`${seen}/state.json`, "utf8"))).toMatchObject({ version: 1, off: { by: expect.any(String) } });
  expect(await runsOn(pid)).toBe(true);
  process.kill(running.pid, "SIGTERM");
  expect(await running.exit).toBe(0);
});

test("SIGUSR2 lets everything run while the event loop is stuck", async () => {
  const sleeper = await startSleeper();
  const script = `const { Hobbler } = await import(process.argv[1]); const { pauseOnSignal } = await import(process.argv[2]);
    const hobbler = new Hobbler({ realtime: "off", runtimeDir: process.argv[3] }); pauseOnSignal(12, () => {});
    await hobbler.add(Number(process.argv[4]), { run: "1ms", stop: "10m" }).ready; console.log("ready"); await new Promise((r) => setTimeout(r, 100)); for (;;);`;
  const { folder } = new DaemonProcess("");
  const modules = ["index", "native"].map((name) => new URL(`../dist/${name}.js`, import.meta.url).href);
  const { pid, child } = await start([
    process.execPath,
    "--input-type=module",
    "-e",
    script,
    ...modules,
    join(folder, "run"),
    String(sleeper.pid),
  ]);
  let said = "";
  child.stdout?.on("data", (text) => (said += text));
  await until(() => said.includes("ready") && stateOf(sleeper.pid) === "T", "it is stopped");
  process.kill(pid, "SIGUSR2");
  await until(() => stateOf(sleeper.pid) === "S", "it runs");
});

test("the service manager is told", async () => {
  const daemon = new DaemonProcess("");
  const path = join(daemon.folder, "notify");
  const listen = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
  const { child } = await start(["python3", "-c", listen, path]);
  let told = "";
  child.stdout?.on("data", (text) => (told += text));
  await until(() => told.includes("bound"), "it listens");
  const running = await daemon.start({ ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" });
  await until(() => told.includes("READY=1") && told.includes("WATCHDOG=1"), "it is told");
  process.kill(running.pid, "SIGHUP");
  await until(() => /RELOADING=1\nMONOTONIC_USEC=\d+\n[\s\S]*READY=1/.test(told), "it reloads");
  process.kill(running.pid, "SIGTERM");
  expect(await running.exit).toBe(0);
  await until(() => told.includes("STOPPING=1"), "it ends");
});

test("bad usage", async () => {
  const daemon = new DaemonProcess("[[rule]]\nname = 7\n");
  expect(await daemon.hobble("check", daemon.file)).toMatchObject({ exit: 1, stderr: expect.stringMatching(/hobble\.toml:\d+:\d+: /) });
  expect(await daemon.hobble("daemon", "-c", daemon.file)).toMatchObject({
    exit: 1,
    stderr: expect.stringMatching(/hobble\.toml:\d+:\d+: /),
  });
  expect(await daemon.hobble("daemon", "-c", "/nowhere.toml")).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("there is no such file"),
  });
  expect((await daemon.hobble("add", "abc", "--limit", "5%")).exit).toBe(2);
  expect((await daemon.hobble("completion", "csh")).exit).toBe(2);
  expect((await daemon.hobble("ls")).exit).toBe(5);
});

test.each(["bash", "zsh", "fish"])("completion for %s knows every command", async (shell) => {
  const { stdout } = await result([...hobbleWords, "completion", shell]);
  for (const word of ["daemon", "explain", "attach", "top", "completion"]) expect(stdout).toContain(word);
  if (shell !== "bash") return;
  const ask = `${stdout}\nCOMP_WORDS=(hobble ex); COMP_CWORD=1; _hobble; echo "\${COMPREPLY[@]}"; COMP_WORDS=(hobble ls --j); COMP_CWORD=2; _hobble; echo "\${COMPREPLY[@]}"`;
  expect((await result(["bash", "-c", ask])).stdout).toBe("exec explain\n--json\n");
});
