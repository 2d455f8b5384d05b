/** A daemon on real processes of real users: rules, quotas, reload, off and on, restarts, crashes. */
import { existsSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { StateStore } from "../src/daemon/state-store.js";
import type { AddRequest, Caller } from "../src/daemon/supervisor.js";
import { identify } from "../src/identify.js";
import { endDaemon, scratchFolder, startDaemon } from "./helpers/daemon.js";
import {
  childrenCpuSecondsOf,
  childrenOf,
  cpuSecondsOf,
  exitOf,
  observe,
  runsOn,
  start,
  startBurner,
  startSleeper,
  stateOf,
  until,
} from "./helpers/processes.js";
import { isRoot, makeUser, startAs } from "./helpers/users.js";

const root: Caller = { uid: 0, user: "root", admin: true };
const burn = ["sh", "-c", "while :; do :; done"] as const;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function byHand(pid: number, changes: Partial<AddRequest> = {}): AddRequest {
  const { startTime = 0, inode = 0n } = identify(pid) ?? {};
  return {
    pid,
    kind: "process",
    startTime,
    inode,
    runNs: 5e6,
    stopNs: 50e6,
    limit: null,
    pool: null,
    forNs: null,
    reason: null,
    ...changes,
  };
}

/** Only the processes of this test: others run their own. */
const marked = (mark: string) => `command = 'HOBBLE_MARK_${mark}_${process.pid}'`;
const markedSleeper = (mark: string) => start(["sh", "-c", `: HOBBLE_MARK_${mark}_${process.pid}; while :; do sleep 1; done`]);
const markedBurner = (mark: string) => start(["sh", "-c", `: HOBBLE_MARK_${mark}_${process.pid}; while :; do :; done`]);

describe.runIf(isRoot)("users", () => {
  const student = makeUser(`hobble-a${process.pid}`);
  const other = makeUser(`hobble-b${process.pid}`);

  test("a hog of the user that a rule names is limited; others are not", async () => {
    const [hog, free] = await Promise.all([startAs(student.name, burn), startAs(other.name, burn)]);
    const { daemon, decided } = await startDaemon(`
[daemon]
scan = "200ms"
[[rule]]
name = "runaways"
match = { user = "${student.name}", cpuAbove = "5%", for = "400ms" }
hobble = { limit = "10%" }
`);
    await decided("hobbled", hog.pid);
    await sleep(300);
    const before = cpuSecondsOf(hog.pid);
    await sleep(2000);
    expect(cpuSecondsOf(hog.pid) - before).toBeLessThan(0.6);
    expect(await runsOn(free.pid)).toBe(true);
    expect(daemon.targets()).toMatchObject([
      { pid: hog.pid, user: student.name, uid: student.uid, origin: "rule", by: "runaways", limit: 0.1 },
    ]);
    const explanation = await daemon.explain(free.pid);
    expect(explanation.target).toBeNull();
    expect(explanation.rules).toMatchObject([{ outcome: "failed", condition: `user "${student.name}": it is "${other.name}"` }]);
    expect((await daemon.explain(hog.pid)).history.map(({ kind }) => kind)).toEqual(["hobbled"]);
  });

  test("who exceeds a quota shares its limit, also after a restart, until the quota renews", async () => {
    const [first, second] = await Promise.all([startAs(student.name, burn), startAs(student.name, burn)]);
    const toml = (seconds: number) => `
[daemon]
scan = "200ms"
[[quota]]
name = "daily"
per = "user"
cpuSeconds = ${seconds}
every = "1d"
exempt = ["root", "${other.name}"]
match = { user = "hobble-*${process.pid}" }
tiers = [{ limit = "20%" }]
`;
    const folder = await scratchFolder();
    const running = await startDaemon(toml(0.5), folder);
    await running.decided("hobbled", first.pid);
    await running.decided("hobbled", second.pid);
    const standing = running.daemon.quotas(student.uid)[0];
    expect(standing).toMatchObject({ quota: "daily", key: student.name, tier: 1, allowedCpuSeconds: 0.5, exempt: false });
    await sleep(300);
    const before = cpuSecondsOf(first.pid) + cpuSecondsOf(second.pid);
    await sleep(2000);
    expect(cpuSecondsOf(first.pid) + cpuSecondsOf(second.pid) - before).toBeLessThan(0.9);
    await endDaemon(running);
    expect(await runsOn(first.pid)).toBe(true);

    const again = await startDaemon(toml(0.5), folder);
    expect(again.daemon.quotas(student.uid)[0]?.usedCpuSeconds).toBeGreaterThanOrEqual(standing?.usedCpuSeconds ?? 1);
    await again.decided("hobbled", first.pid);
  });

  test("children that come and go between scans count", async () => {
    // Each child burns some 10 ms and is gone.
    const forks =
      "for i in range(60):\n  pid=os.fork()\n  if pid==0:\n    end=time.process_time()+0.01\n    while time.process_time()<end: pass\n    os._exit(0)\n  os.waitpid(pid,0)\n";
    const { daemon } = await startDaemon(`
[daemon]
scan = "2s"
[[quota]]
name = "daily"
per = "user"
cpuSeconds = 1000
every = "1d"
tiers = [{ limit = "20%" }]
`);
    const parent = await startAs(student.name, ["/usr/bin/python3", "-c", `import os,time\n${forks}time.sleep(100)`]);
    await until(() => childrenCpuSecondsOf(parent.pid) > 0.58, "nearly all of them have come and gone");
    await sleep(300);
    // A fork and an exit may cost as much as what it burns. Ticks are of 10 ms.
    const spent = cpuSecondsOf(parent.pid) + childrenCpuSecondsOf(parent.pid);
    await until(() => (daemon.quotas(student.uid)[0]?.usedCpuSeconds ?? 0) > spent - 0.1, "the children are charged");
    expect(daemon.quotas(student.uid)[0]?.usedCpuSeconds).toBeLessThan(spent + 0.1);
  });
});

test.runIf(isRoot)("a process that starts and matches is hobbled without waiting for a scan", async () => {
  const { daemon, decided, decisions } = await startDaemon(
    `[daemon]\nscan = "1h"\n[[rule]]\nname = "r"\nmatch = { ${marked("event")} }\nhobble = { run = "5ms", stop = "50ms" }\n`,
  );
  expect(decisions("warning")).toEqual([]);
  const { pid } = await markedSleeper("event");
  await decided("hobbled", pid);
  expect(daemon.stats().scan.scans).toBe(1);
});

describe("reload", () => {
  const toml = (run: string, mark = "reload") =>
    `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked(mark)} }\nhobble = { run = "${run}", stop = "50ms" }\n`;

  test("what changes is changed, without releasing anything", async () => {
    const { pid } = await markedSleeper("reload");
    const { daemon, decided, decisions, file } = await startDaemon(toml("5ms"));
    await decided("hobbled", pid);
    await writeFile(file, toml("8ms"));
    expect(await daemon.reload("root")).toEqual({ applied: true, problems: [], rules: 1, quotas: 0 });
    await decided("changed", pid);
    expect(daemon.target(pid)).toMatchObject({ runNs: 8e6 });
    expect(decisions("released")).toEqual([]);
  });

  test("a broken file leaves the old rules in force, and is told with line and column", async () => {
    const { pid } = await markedSleeper("reload");
    const { daemon, decided, decisions, file } = await startDaemon(toml("5ms"));
    await decided("hobbled", pid);
    await writeFile(file, toml("fast"));
    await decided("warning");
    expect(decisions("warning")[0]?.reason).toContain(`${file}:6:12: hobble.run must be a duration`);
    const { applied, problems } = await daemon.reload("root");
    expect(applied).toBe(false);
    expect(problems).toMatchObject([{ file, line: 6, column: 12 }]);
    expect(daemon.targets()).toHaveLength(1);
  });

  test("a changed file is taken over by itself", async () => {
    const { pid } = await markedSleeper("reload");
    const { daemon, decided, file } = await startDaemon(toml("5ms"));
    await decided("hobbled", pid);
    await writeFile(file, toml("5ms", "nobody"));
    await decided("released", pid);
    expect(daemon.targets()).toEqual([]);
    expect(await runsOn(pid)).toBe(true);
  });
});

test("a state that cannot be read is not overwritten", async () => {
  const store = new StateStore(await scratchFolder());
  await expect(store.load()).rejects.toThrow(/cannot be read/);
  const state = { version: 1, bootId: "", quotas: {}, forces: [], counted: [], notified: {}, off: null } as const;
  await expect(store.save({ ...state, forces: [], counted: [] })).rejects.toThrow(/not overwritten/);
});

test("off means that everything runs, at once, until on", async () => {
  const { pid } = await markedSleeper("off");
  const toml = `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("off")} }\nhobble = { run = "5ms", stop = "50ms" }\n`;
  const running = await startDaemon(toml);
  await running.decided("hobbled", pid);
  running.daemon.off("root");
  expect(await runsOn(pid)).toBe(true);
  expect(running.daemon.stats().off).toMatchObject({ by: "root" });
  // Also over a restart.
  await endDaemon(running);
  const again = await startDaemon(toml, running.folder);
  expect(again.daemon.stats().off).toMatchObject({ by: "root" });
  expect(await runsOn(pid)).toBe(true);
  again.daemon.on("root");
  await again.decided("hobbled", pid);
  expect((await observe(pid, 100)).get("T")).toBeGreaterThan(20);
});

test("a rule that watches touches nothing, but tells", async () => {
  const { pid } = await markedSleeper("watch");
  const { daemon, decided } = await startDaemon(
    `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmode = "watch"\nmatch = { ${marked("watch")} }\nhobble = { run = "5ms", stop = "50ms" }\n`,
  );
  await decided("watched", pid);
  expect(await runsOn(pid)).toBe(true);
  expect(daemon.targets()).toEqual([]);
  expect(daemon.stats().rules).toMatchObject([{ rule: "r", mode: "watch", hobbled: 1, targets: 0 }]);
});

test("pressure: a rule with `when` does nothing while nobody waits", async () => {
  const { pid } = await markedSleeper("when");
  const { daemon } = await startDaemon(
    `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("when")} }\nwhen = { memoryPressure = "99%" }\nhobble = { run = "5ms", stop = "50ms" }\n`,
  );
  expect((await daemon.explain(pid)).rules).toMatchObject([{ outcome: "waiting", condition: "when: others do not have to wait" }]);
  expect(daemon.targets()).toEqual([]);
});

describe("by hand", () => {
  test("who is added is hobbled until lifted, and rules leave it alone", async () => {
    const sleeper = await startSleeper();
    const { daemon, decisions } = await startDaemon('[daemon]\nscan = "200ms"\n');
    const report = await daemon.add(byHand(sleeper.pid), root);
    expect(report).toMatchObject({ pid: sleeper.pid, origin: "hand", by: "root", byUid: 0, byAdmin: true, runNs: 5e6 });
    await expect(daemon.add(byHand(sleeper.pid), root)).rejects.toMatchObject({ code: "ERR_BUSY" });
    const { scans } = daemon.stats().scan;
    await until(() => daemon.stats().scan.scans > scans + 2, "some scans more");
    expect(daemon.targets()).toHaveLength(1);
    await daemon.remove(sleeper.pid, root);
    expect(await runsOn(sleeper.pid)).toBe(true);
    expect(decisions("released")).toMatchObject([{ pid: sleeper.pid, reason: "root lifted it" }]);
    await expect(daemon.remove(sleeper.pid, root)).rejects.toMatchObject({ code: "ESRCH" });
  });

  test("a rule takes over what a user asked for himself, and leaves an administrator's alone", async () => {
    const mark = "both";
    const user: Caller = { uid: 4242, user: "somebody", admin: false };
    const [own, admins] = [await markedSleeper(mark), await markedSleeper(mark)];
    const { daemon, decided, file } = await startDaemon('[daemon]\nscan = "200ms"\n');
    await daemon.add(byHand(own.pid, { runNs: null, stopNs: null, limit: 4 }), { ...user, uid: process.getuid?.() ?? 0 });
    await daemon.add(byHand(admins.pid, { runNs: null, stopNs: null, limit: 4, forNs: 3e9 }), root);
    await writeFile(file, `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked(mark)} }\nhobble = { limit = "5%" }\n`);
    await decided("released", own.pid);
    await until(() => daemon.target(own.pid)?.origin === "rule", "the rule has it");
    expect(daemon.target(own.pid)).toMatchObject({ limit: 0.05, by: "r", byAdmin: null });
    expect(daemon.target(admins.pid)).toMatchObject({ origin: "hand", limit: 4, untilAt: expect.any(Number) });
    // When its time is over the rule has that one too.
    await until(() => daemon.target(admins.pid)?.origin === "rule", "the rule has the other");
  });

  test("what has become another user's process is let go", async () => {
    const { pid } = await startSleeper();
    const { daemon, decided, decisions } = await startDaemon('[daemon]\nscan = "200ms"\n');
    await daemon.add(byHand(pid), { uid: 4242, user: "somebody", admin: false });
    await decided("released", pid);
    expect(decisions("released", pid)).toMatchObject([{ reason: "it is no longer a process of somebody" }]);
    expect(await runsOn(pid)).toBe(true);
  });

  test("for a while", async () => {
    const sleeper = await startSleeper();
    // Not with the next scan.
    const { daemon, decided } = await startDaemon('[daemon]\nscan = "1h"\n');
    await daemon.add(byHand(sleeper.pid, { forNs: 300e6 }), root);
    await decided("released", sleeper.pid);
    expect(await runsOn(sleeper.pid)).toBe(true);
  });

  test("what is not right is refused, and changes nothing", async () => {
    const sleeper = await startSleeper();
    const { daemon } = await startDaemon('[daemon]\nscan = "200ms"\n');
    await expect(daemon.add(byHand(sleeper.pid, { pool: "none" }), root)).rejects.toMatchObject({ code: "EINVAL" });
    await expect(daemon.add(byHand(sleeper.pid, { startTime: 1 }), root)).rejects.toMatchObject({ code: "ERR_IDENTITY" });
    await expect(daemon.add(byHand(1), root)).rejects.toMatchObject({ code: "ERR_PROTECTED" });
    await expect(daemon.explain(4_194_303)).rejects.toMatchObject({ code: "ESRCH" });
    expect(daemon.targets()).toEqual([]);
    expect(await runsOn(sleeper.pid)).toBe(true);
  });

  test("keeps nobody out of the tree that he belongs to", async () => {
    const parent = await start(["sh", "-c", `: HOBBLE_MARK_treed_${process.pid}; sleep 100 & wait`]);
    await until(() => childrenOf(parent.pid).length === 1, "it has a child");
    const [child = 0] = childrenOf(parent.pid);
    onTestFinished(() => void process.kill(child, "SIGKILL"));
    const user = { uid: process.geteuid?.() ?? 0, user: "somebody", admin: false };
    const { daemon, decided, decisions, file } = await startDaemon('[daemon]\nscan = "200ms"\n');
    await daemon.add(byHand(child, { runNs: 3600e9, stopNs: 1e5 }), user);
    const rule = `[[rule]]\nname = "r"\nmatch = { ${marked("treed")} }\nhobble = { run = "5ms", stop = "50ms", tree = true }\n`;
    await writeFile(file, `[daemon]\nscan = "200ms"\n${rule}`);
    await decided("released", child);
    expect(decisions("released", child)).toMatchObject([{ reason: "r takes it over" }]);
    await until(() => stateOf(child) === "T", "it is stopped with the others");
    await expect(daemon.add(byHand(child), user)).rejects.toMatchObject({ code: "ERR_BUSY" });
  });

  test("into a pool: admins may, others where it is open", async () => {
    const sleeper = await startSleeper();
    const { daemon } = await startDaemon('[daemon]\nscan = "200ms"\n[pool.closed]\nlimit = 0.5\n[pool.shared]\nlimit = 0.5\nopen = true\n');
    const user = { uid: process.geteuid?.() ?? 0, user: "somebody", admin: false };
    await expect(daemon.add(byHand(sleeper.pid, { runNs: null, stopNs: null, pool: "closed" }), user)).rejects.toMatchObject({
      code: "EPERM",
    });
    await daemon.add(byHand(sleeper.pid, { runNs: null, stopNs: null, pool: "shared" }), user);
    await daemon.remove(sleeper.pid, user);
    await daemon.add(byHand(sleeper.pid, { runNs: null, stopNs: null, pool: "closed" }), { ...user, admin: true });
    expect(daemon.targets()).toMatchObject([{ pid: sleeper.pid, pool: "closed" }]);
  });

  test("what a rule imposed can be lifted, and stays so while it goes on to match", async () => {
    const { pid } = await markedSleeper("lift");
    const { daemon, decided } = await startDaemon(
      `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("lift")} }\nhobble = { run = "5ms", stop = "50ms" }\n`,
    );
    await decided("hobbled", pid);
    await daemon.remove(pid, root);
    const { scans } = daemon.stats().scan;
    await until(() => daemon.stats().scan.scans > scans + 3, "some scans more");
    expect(daemon.targets()).toEqual([]);
    expect((await daemon.explain(pid)).rules).toMatchObject([
      { outcome: "waiting", condition: "it was lifted by hand, until it does not match for once" },
    ]);
  });
});

test("killed and started again, it adopts within one scan what it had let go", async () => {
  const [burner, idle] = await Promise.all([markedBurner("crash"), startBurner()]);
  const folder = await scratchFolder();
  const file = join(folder, "hobble.toml");
  await writeFile(
    file,
    `[daemon]\nscan = "500ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("crash")}, cpuAbove = "5%", for = "1s" }\nhobble = { run = "5ms", stop = "50ms" }\n`,
  );
  const fixture = fileURLToPath(new URL("fixtures/daemon.mjs", import.meta.url));
  const state = join(folder, "state.json");
  let told = "";
  const daemon = await start([process.execPath, fixture, file, state]);
  daemon.child.stdout?.on("data", (data) => {
    told += data;
  });
  await until(() => told.includes('"hobbled"'), "it is hobbled");
  await until(() => stateOf(burner.pid) === "T", "it is stopped");
  await until(() => existsSync(state) && readFileSync(state, "utf8").includes('"rule":"r"'), "its state is on the disk");
  process.kill(daemon.pid, "SIGKILL");
  await exitOf(daemon);
  await until(() => stateOf(burner.pid) !== "T", "it is resumed");
  expect(await runsOn(burner.pid)).toBe(true);

  const again = await startDaemon(await readFile(file, "utf8"), folder);
  // Within the first scan: `for` is not waited for again.
  await until(() => again.decisions("hobbled", burner.pid).length > 0, "it is adopted", 2000);
  expect(again.daemon.stats().scan.scans).toBeLessThanOrEqual(2);
  expect(await runsOn(idle.pid)).toBe(true);
});

describe("notify", () => {
  test("a program is run with what happened, once for each user in its time", async () => {
    const folder = await scratchFolder();
    const sleepers = await Promise.all([markedSleeper("tell"), markedSleeper("tell")]);
    const script = join(folder, "tell");
    await writeFile(script, `#!/bin/sh\nenv | grep ^HOBBLE_ | sort >> ${folder}/told\ncat >> ${folder}/body\n`, { mode: 0o755 });
    const { decisions } = await startDaemon(
      `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("tell")} }\nhobble = { run = "5ms", stop = "50ms" }\nnotify = "script"\n[notify.script]\ncommand = ["${script}"]\n`,
      folder,
    );
    await until(() => decisions("hobbled").length === 2, "both are hobbled");
    const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => "");
    let body = "";
    for (let look = 0; look < 500 && !body.endsWith("\n"); look++) {
      await sleep(10);
      body = await read("body");
    }
    expect(body.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(body)).toMatchObject({ moment: "entry", decision: { kind: "hobbled", by: "r" } });
    const told = await read("told");
    expect(told).toContain("HOBBLE_MOMENT=entry\n");
    expect(sleepers.some(({ pid }) => told.includes(`HOBBLE_PID=${pid}\n`))).toBe(true);
  });

  test("a program that fails is told of, and harms nothing", async () => {
    const { pid } = await markedSleeper("fail");
    const { decided, decisions } = await startDaemon(
      `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("fail")} }\nhobble = { run = "5ms", stop = "50ms" }\nnotify = "x"\n[notify.x]\ncommand = ["/bin/false"]\n`,
    );
    await decided("hobbled", pid);
    await until(() => decisions("warning").some(({ reason }) => reason.startsWith("notify x: /bin/false failed")), "it is told");
  });
});

test("damaged state is told of and kept beside, and hobbling goes on", async () => {
  const { pid } = await markedSleeper("full");
  const folder = await scratchFolder();
  await writeFile(join(folder, "state.json"), "not json");
  const { decided, decisions } = await startDaemon(
    `[daemon]\nscan = "200ms"\n[[rule]]\nname = "r"\nmatch = { ${marked("full")} }\nhobble = { run = "5ms", stop = "50ms" }\n`,
    folder,
  );
  await decided("hobbled", pid);
  expect(decisions("warning")[0]?.reason).toContain("is damaged");
  expect(await readFile(join(folder, "state.json.broken"), "utf8")).toBe("not json");
});
