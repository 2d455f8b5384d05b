import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { startControl } from "./helpers/control.js";
import { madeUpTarget } from "./helpers/fake-supervisor.js";
import { start, until } from "./helpers/processes.js";

/** Two ordinary users, and one who is in the admin group. They need no entry in /etc/passwd. */
const alice = { uid: 64001, groups: "64001" };
const bob = { uid: 64002, groups: "64002" };
const carol = { uid: 64003, groups: "64003,64777" };
const root = { uid: 0, groups: "0" };
const adminGid = 64777;

const asUser = ({ uid, groups }: typeof alice) => ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--groups", groups, "--"];
const askDaemon = fileURLToPath(new URL("fixtures/ask-daemon.mjs", import.meta.url));
const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

interface Answer {
  code: number | null;
  text: string;
}

async function hobbleAs(user: typeof alice | undefined, socket: string, args: readonly (string | number)[]): Promise<Answer> {
  const words = [...(user === undefined ? [] : asUser(user)), process.execPath, cli, ...args.map(String), "--socket", socket];
  const child = spawn(words[0] ?? "", words.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
  const [code] = await once(child, "close");
  return { code, text };
}

/** Asks one thing after the other in a process of that user's. */
async function asker(user: typeof alice, socket: string): Promise<(question: unknown[]) => Promise<string>> {
  const { child } = await start([...asUser(user), process.execPath, askDaemon, socket]);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("no streams");
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (question) => {
    stdin.write(`${JSON.stringify(question)}\n`);
    return String((await answers.next()).value);
  };
}

async function sleeperOf(user: typeof alice): Promise<number> {
  const { pid, child } = await start([...asUser(user), "sh", "-c", "echo ready; exec sleep 100"]);
  let text = "";
  child.stdout?.on("data", (piece) => (text += piece));
  await until(() => text.includes("ready"), "it runs");
  return pid;
}

const ok = 0;
const gone = 3;
const refused = 4;

describe.runIf(process.getuid?.() === 0)("who may do what", () => {
  /** Four targets of Alice's: by a rule, by herself, by an admin, and by Bob (which cannot come about, and is refused all the same). */
  async function setting() {
    const own = await sleeperOf(alice);
    const [byRule, byHerself, byAdmin, byBob] = [900_001, 900_002, 900_003, 900_004];
    const of = { uid: alice.uid, user: "64001" };
    const hand = (who: { uid: number }, admin: boolean) =>
      ({ origin: "hand", by: String(who.uid), byUid: who.uid, byAdmin: admin }) as const;
    const control = await startControl(
      [
        madeUpTarget({ pid: byRule, ...of }),
        madeUpTarget({ pid: byHerself, ...of, ...hand(alice, false) }),
        madeUpTarget({ pid: byAdmin, ...of, ...hand({ uid: 0 }, true) }),
        madeUpTarget({ pid: byBob, ...of, ...hand(bob, false) }),
      ],
      { admins: { gid: adminGid, ownUid: 0 } },
    );
    return { control, own, byRule, byHerself, byAdmin, byBob };
  }

  test("the table: everything that can be asked, by Alice, Bob, a member of the admin group, and root", async () => {
    const { control, own, byRule, byHerself, byAdmin, byBob } = await setting();
    const before = control.supervisor.targets();
    const [no, none] = ["EPERM", "ESRCH"];
    const table: [unknown[], string, string, string, string][] = [
      // what                                          alice  bob   group root
      [["targets"], "ok", "ok", "ok", "ok"],
      [["status"], "ok", "ok", "ok", "ok"],
      [["target", byRule], "ok", none, "ok", "ok"],
      [["explain", own], "ok", no, "ok", "ok"],
      [["events"], "ok", "ok", "ok", "ok"],
      [["stats"], no, no, "ok", "ok"],
      [["metrics"], no, no, "ok", "ok"],
      [["off"], no, no, "ok", "ok"],
      [["on"], no, no, "ok", "ok"],
      [["reload"], no, no, "ok", "ok"],
      [["add", { pid: own, limit: "5%" }], "ok", no, "ok", "ok"],
      [["add", { pid: own, limit: "5%", kind: "tree" }], no, no, "ok", "ok"],
      [["remove", byRule], no, none, "ok", "ok"],
      [["remove", byHerself], "ok", none, "ok", "ok"],
      [["remove", byAdmin], no, none, "ok", "ok"],
      [["remove", byBob], no, none, "ok", "ok"],
    ];
    const askers = await Promise.all([alice, bob, carol, root].map((user) => asker(user, control.path)));
    const seen: unknown[] = [];
    const expected: unknown[] = [];
    for (const [question, ...answers] of table) {
      for (const [at, ask] of askers.entries()) {
        // Each attempt finds the same targets.
        for (const { pid } of control.supervisor.targets()) await control.supervisor.remove(pid, { uid: 0, user: "root", admin: true });
        for (const target of before) control.supervisor.put(target);
        control.supervisor.calls.length = 0;
        const answer = await ask(question);
        seen.push([at, ...question, answer]);
        expected.push([at, ...question, answers[at]]);
        if (answer !== "ok") expect(control.supervisor.calls).toEqual([]);
      }
    }
    expect(seen).toEqual(expected);
  });

  test("the commands say it with their exit codes", async () => {
    const { control, own, byRule } = await setting();
    const codes = await Promise.all(
      [["ls"], ["show", byRule], ["explain", own], ["off"], ["rm", byRule], ["status"]].map((args) => hobbleAs(bob, control.path, args)),
    );
    expect(codes.map(({ code }) => code)).toEqual([ok, gone, refused, refused, gone, ok]);
    const lifting = await hobbleAs(alice, control.path, ["rm", byRule]);
    expect(lifting).toMatchObject({
      code: refused,
      text: 'hobble: the rule "runaways" imposed it; only root and the admin group may lift it\n',
    });
    expect(control.supervisor.calls).toEqual([]);
  });

  test("each sees only targets and events of processes of their own", async () => {
    const control = await startControl([madeUpTarget({ pid: 1001, uid: alice.uid }), madeUpTarget({ pid: 1002, uid: bob.uid })]);
    control.supervisor.decide("hobbled", { pid: 1001, uid: alice.uid, reason: "of Alice" });
    control.supervisor.decide("hobbled", { pid: 1002, uid: bob.uid, reason: "of Bob" });
    control.supervisor.decide("reloaded", { reason: "of the daemon" });
    const [list, events, status] = await Promise.all(
      [["ls", "--json"], ["events"], ["status"]].map((args) => hobbleAs(alice, control.path, args)),
    );
    expect(JSON.parse(list?.text ?? "").targets.map(({ pid }: { pid: number }) => pid)).toEqual([1001]);
    expect(events?.text).toContain("of Alice");
    expect(events?.text).not.toMatch(/of Bob|of the daemon/);
    expect(status?.text).not.toContain("1002");
  });

  test("a setuid program's process is not its caller's to hobble", async () => {
    const { pid } = await start(["setpriv", "--ruid", String(alice.uid), "--euid", "0", "--", "sleep", "100"]);
    const control = await startControl();
    expect(await hobbleAs(alice, control.path, ["add", pid, "--limit", "5%"])).toMatchObject({ code: refused });
    expect(control.supervisor.calls).toEqual([]);
  });

  test("one's own daemon answers nobody else", async () => {
    const control = await startControl([], { mode: 0o600 });
    expect(await hobbleAs(alice, control.path, ["status"])).toMatchObject({
      code: 4,
      text: expect.stringContaining("not permitted to connect"),
    });
  });

  test("a user with many connections keeps nobody else out", async () => {
    const control = await startControl([madeUpTarget({ pid: 1001 })]);
    const script = `const net = require("net"); let open = 0, shut = 0;
      for (let i = 0; i < 400; i++) net.connect(process.argv[1]).on("connect", () => open++).on("close", () => shut++).on("error", () => {});
      setTimeout(() => console.log(JSON.stringify({ open, shut })), 1500); setTimeout(() => process.exit(), 6000);`;
    const { child } = await start([...asUser(alice), process.execPath, "-e", script, control.path]);
    let text = "";
    child.stdout?.on("data", (piece) => (text += piece));
    await until(() => text.includes("}"), "it has tried");
    expect(JSON.parse(text).shut).toBeGreaterThanOrEqual(400 - 256);
    expect(await control.client().targets()).toHaveLength(1);
  });
});
