/** What somebody else stopped is not ours to resume, nor what a debugger holds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type CycleOptions, Hobbler, type HobblerEvents } from "../src/index.js";
import { newFolder } from "./helpers/folders.js";
import { end, observe, runsOn, start, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";
import { attach, kill, startOwner } from "./helpers/safety.js";

const cycle = { run: "30ms", stop: "100ms" } as const;

async function staysStopped(pid: number): Promise<void> {
  expect(await observe(pid, 200)).toEqual(new Map([["T", 200]]));
}

async function isHobbled(pid: number): Promise<void> {
  await until(() => stateOf(pid) !== "T" && stateOf(pid) !== "t", `${pid} runs`);
  await until(() => stateOf(pid) === "T", `${pid} is stopped`);
}

interface Told {
  pid: number;
  by?: string;
}

function watched(options: ConstructorParameters<typeof Hobbler>[0] = {}) {
  const hobbler = new Hobbler({ runtimeDir: newFolder(), ...options });
  const told: Record<"held" | "unheld", Told[]> = { held: [], unheld: [] };
  hobbler.on("held", ({ pid, by }: HobblerEvents["held"][0]) => told.held.push({ pid, by }));
  hobbler.on("unheld", ({ pid }) => told.unheld.push({ pid }));
  return { hobbler, told };
}

describe("SIGSTOP from somebody else", () => {
  // Long windows: a stop that comes within 1.5 ms before a signal of ours is undone, and a loaded machine lets this test itself be late.
  const mostlyStopped = { run: "200ms", stop: "1s" } as const;
  const mostlyRunning = { run: "1s", stop: "300ms" } as const;
  const moments: [string, string, number, CycleOptions][] = [
    ["at the beginning of a stop window", "T", 0, mostlyStopped],
    ["in the middle of a stop window", "T", 200, mostlyStopped],
    ["in a run window", "R", 200, mostlyRunning],
  ];
  test.each(moments)("%s stays in force, while hobbled and afterwards; SIGCONT brings it back", async (_, state, afterMs, slow) => {
    const { hobbler, told } = watched();
    const { pid } = await startBurner();
    const target = hobbler.add(pid, slow);
    await target.ready;
    const moment = async () => {
      await until(() => stateOf(pid) === (state === "T" ? "R" : "T"), "the other window");
      await until(() => stateOf(pid) === state, "the window");
      await sleep(afterMs);
    };
    await moment();
    process.kill(pid, "SIGSTOP");
    await until(() => told.held.length > 0, "it is held");
    expect(told.held).toEqual([{ pid, by: "signal" }]);
    expect(target.state).toBe("held");
    expect(await observe(pid, 500)).toEqual(new Map([["T", 500]]));
    process.kill(pid, "SIGCONT");
    await until(() => told.unheld.length > 0, "it is held no longer");

    await moment();
    process.kill(pid, "SIGSTOP");
    await until(() => told.held.length === 2, "it is held again");
    await hobbler.close();
    await staysStopped(pid);
  });

  test("is respected from the start: a process that is stopped when it is added stays so", async () => {
    const { hobbler, told } = watched();
    const { pid } = await startSleeper();
    process.kill(pid, "SIGSTOP");
    const target = hobbler.add(pid, cycle);
    await target.ready;
    expect(target.state).toBe("held");
    await until(() => stateOf(pid) === "T", "it has obeyed");
    await staysStopped(pid);
    await target.release();
    await staysStopped(pid);
    expect(told.held).toEqual([{ pid, by: "signal" }]);
    await hobbler.close();
  });

  // No look is due for ten minutes when it comes.
  for (const how of ["release", "pause", "close"] as const) {
    test(`that came in the stop window outlives ${how}`, async () => {
      const { hobbler } = watched();
      const [mine, theirs] = [await startSleeper(), await startSleeper()];
      const targets = [mine, theirs].map(({ pid }) => hobbler.add(pid, { run: "1ms", stop: "10m" }));
      await Promise.all(targets.map(({ ready }) => ready));
      await until(() => stateOf(mine.pid) === "T" && stateOf(theirs.pid) === "T", "they are stopped");
      process.kill(theirs.pid, "SIGSTOP");
      if (how === "release") await Promise.all(targets.map((target) => target.release()));
      else await hobbler[how]();
      expect(await runsOn(mine.pid)).toBe(true);
      await staysStopped(theirs.pid);
      await hobbler.close();
      await staysStopped(theirs.pid);
    });
  }

  test("outlives the death of the owner", async () => {
    const owner = await startOwner(newFolder());
    process.kill(owner.held, "SIGSTOP");
    kill(owner.pid);
    await owner.exit;
    await staysStopped(owner.held);
  });

  test("is undone with `foreignStops: ignore`", async () => {
    const { hobbler, told } = watched({ foreignStops: "ignore" });
    const { pid } = await startBurner();
    await hobbler.add(pid, cycle).ready;
    process.kill(pid, "SIGSTOP");
    for (let round = 0; round < 3; round++) await isHobbled(pid);
    expect(told.held).toEqual([]);
    await hobbler.close();
    expect(await runsOn(pid)).toBe(true);
  });

  test("is told by the command", async () => {
    const { pid } = await startSleeper();
    process.kill(pid, "SIGSTOP");
    const attached = await attach(pid, newFolder());
    await until(() => attached.events().some(({ event }) => event === "held"), "it is held");
    expect(attached.events().find(({ event }) => event === "held")).toMatchObject({ pid, by: "signal" });
    attached.child.kill("SIGTERM");
    expect(await attached.exit).toBe(0);
    await staysStopped(pid);
  });
});

test("a Ctrl-Z that the process handles, or blocks, does not keep it stopped", async () => {
  const { hobbler, told } = watched();
  const script = "import signal, time\nsignal.signal(signal.SIGTSTP, lambda *_: None)\nwhile True: time.sleep(0.01)";
  const { pid } = await startPython(script);
  const blocking = await startPython(
    "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP])\nwhile True: time.sleep(0.01)",
  );
  await Promise.all([pid, blocking.pid].map((each) => hobbler.add(each, cycle).ready));
  for (let round = 0; round < 4; round++) {
    for (const each of [pid, blocking.pid]) {
      process.kill(each, "SIGTSTP");
      await isHobbled(each);
    }
  }
  expect(told.held).toEqual([]);
  await hobbler.close();
  expect(await runsOn(pid)).toBe(true);
  expect(await runsOn(blocking.pid)).toBe(true);
});

async function startPython(script: string) {
  const started = await start(["python3", "-c", `${script.replace("while", "print('ready', flush=True)\nwhile")}`]);
  if (started.child.stdout !== null) await once(started.child.stdout, "data");
  return started;
}

describe("a debugger", () => {
  /** gdb, driven through its standard input. */
  function gdb(pid: number) {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "gdb", "-q", "-nx", "-p", String(pid)], { stdio: "pipe" });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.resume();
    return {
      async does(command: string, shows: RegExp) {
        const from = output.length;
        child.stdin.write(`${command}\n`);
        await until(() => shows.test(output.slice(from)), `${shows} after ${command}; it shows ${JSON.stringify(output)}`);
      },
      attached: () => until(() => /\(gdb\) $/.test(output), "gdb is attached"),
      async end() {
        if (child.exitCode === null) child.stdin.end("detach\nquit\n");
        await once(child, "exit");
      },
    };
  }

  for (const afterMs of [0, 60, 110]) {
    test(`attaches, steps and detaches, ${afterMs} ms into the cycle, and then the process is hobbled again`, async () => {
      const { hobbler, told } = watched();
      const burner = await startBurner();
      await hobbler.add(burner.pid, cycle).ready;
      await isHobbled(burner.pid);
      await sleep(afterMs);
      const debug = gdb(burner.pid);
      try {
        await debug.attached();
        await until(() => told.held.some(({ by }) => by === "tracer"), "it is held");
        expect(stateOf(burner.pid)).toBe("t");
        for (let step = 0; step < 3; step++) await debug.does("stepi", /\(gdb\) $/);
        await debug.does("print $pc", /\$\d+ = .*0x[0-9a-f]+/);
        await debug.does("detach", /Detaching|detached/i);
        await until(() => told.unheld.length > 0, "it is held no longer");
        for (let round = 0; round < 3; round++) await isHobbled(burner.pid);
      } finally {
        await debug.end();
      }
      await hobbler.close();
      expect(await runsOn(burner.pid)).toBe(true);
      await end(burner);
    });
  }

  test("that let the process go on when it is added is left alone", async () => {
    const { hobbler, told } = watched();
    const { pid } = await startBurner();
    const debug = gdb(pid);
    try {
      await debug.attached();
      await debug.does("continue", /Continuing/);
      await until(() => stateOf(pid) === "R", "it runs");
      const target = hobbler.add(pid, cycle);
      await target.ready;
      await sleep(300);
      expect(told.held).toEqual([{ pid, by: "tracer" }]);
      expect(target.stats()?.signals).toBe(0);
      expect(stateOf(pid)).toBe("R");
    } finally {
      kill(pid);
      await debug.end();
    }
    await hobbler.close();
  });

  test("does not keep stopped what we had stopped, when we go first", async () => {
    const { hobbler } = watched();
    const { pid } = await startSleeper();
    await hobbler.add(pid, { run: "1ms", stop: "10m" }).ready;
    await until(() => stateOf(pid) === "T", "it is stopped");
    const debug = gdb(pid);
    await debug.attached();
    await hobbler.close();
    await debug.end();
    await until(() => stateOf(pid) !== "T" && stateOf(pid) !== "t", "it runs");
    expect(await runsOn(pid)).toBe(true);
  });
});
