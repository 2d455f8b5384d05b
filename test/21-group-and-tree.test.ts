import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { childrenOf, end, groupOf, parentOf, processName, runsOn, start, stateOf, until } from "./helpers/processes.js";

let hobbler: Hobbler;
beforeEach(() => {
  hobbler = new Hobbler();
});
afterEach(() => hobbler.close());

const longStop = { run: "1ms", stop: "10m" };
const briefStop = { run: "30ms", stop: "30ms" };
/** Dies with its parent, once it is named sleep. */
const leaf = "setpriv --pdeathsig KILL sleep 100";

function descendants(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

const sleepers = (pid: number) => descendants(pid).filter((member) => processName(member) === "sleep");

async function startTree(): Promise<number[]> {
  const branch = `setpriv --pdeathsig KILL sh -c '${leaf} & ${leaf} & wait'`;
  const { pid } = await start(["sh", "-c", `${branch} & ${branch} & wait`]);
  const all = () => [pid, ...descendants(pid)];
  await until(() => all().length === 7 && sleepers(pid).length === 4, "the tree has three levels");
  return all();
}

describe("a tree", () => {
  test("is stopped and resumed as a whole, parents listed before children", async () => {
    const pids = await startTree();
    const [root = 0] = pids;
    const target = hobbler.add({ tree: root }, longStop);
    await target.ready;
    expect(target.kind).toBe("tree");
    await until(() => pids.every((pid) => stateOf(pid) === "T"), "all are stopped");
    const { members } = target;
    expect([...members].sort()).toEqual([...pids].sort());
    for (const [index, pid] of members.entries()) {
      if (pid !== root) expect(members.slice(0, index)).toContain(parentOf(pid));
    }
    await target.release();
    for (const pid of pids) expect(await runsOn(pid)).toBe(true);
  });

  test("takes in what is forked while it is hobbled", async () => {
    const { pid, child } = await start(["sh", "-c", `while read line; do ${leaf} & done`]);
    const target = hobbler.add({ tree: pid }, briefStop);
    await target.ready;
    for (let forked = 1; forked <= 3; forked++) {
      child.stdin?.write("fork\n");
      await until(() => target.members.length === 1 + forked && sleepers(pid).length === forked, `${forked} forked`);
    }
    const [newest = 0] = target.members.slice(-1);
    await until(() => stateOf(newest) === "T", "the newest is stopped");
    await until(() => stateOf(newest) !== "T", "the newest is resumed");
  });

  test("keeps a descendant whose parent has died", async () => {
    const { pid } = await start(["sh", "-c", "sh -c 'sleep 100 & wait' & wait"]);
    await until(() => sleepers(pid).length === 1, "three generations");
    const [middle = 0, last = 0] = descendants(pid);
    const target = hobbler.add({ tree: pid }, briefStop);
    await target.ready;
    try {
      process.kill(middle, "SIGKILL");
      await until(() => parentOf(last) !== middle, "it is an orphan");
      await until(() => !target.members.includes(middle), "the dead one is dropped");
      expect(target.members).toContain(last);
      await until(() => stateOf(last) === "T", "the orphan is stopped");
      await until(() => stateOf(last) !== "T", "the orphan is resumed");
    } finally {
      process.kill(last, "SIGKILL");
    }
  });

  test("exits when its last member has", async () => {
    const tree = await start(["sh", "-c", `${leaf} & wait`]);
    await until(() => sleepers(tree.pid).length === 1, "it has a child");
    const target = hobbler.add({ tree: tree.pid }, longStop);
    await target.ready;
    hobbler.ref();
    await end(tree);
    await expect(target.ended).resolves.toBe("exit");
  });

  test("may not hold ourselves", async () => {
    await expect(hobbler.add({ tree: process.ppid }, longStop).ready).rejects.toMatchObject({ code: "ERR_PROTECTED" });
  });
});

describe("a group", () => {
  test("is stopped and resumed as a whole", async () => {
    const { pid } = await start(["sh", "-c", `${leaf} & ${leaf} & wait`], { detached: true });
    await until(() => sleepers(pid).length === 2, "it has three members");
    const pids = [pid, ...descendants(pid)];
    const target = hobbler.add({ group: pid }, longStop);
    await target.ready;
    expect(target.kind).toBe("group");
    await until(() => pids.every((member) => stateOf(member) === "T"), "all are stopped");
    expect([...target.members].sort()).toEqual([...pids].sort());
    await target.release();
    for (const member of pids) expect(await runsOn(member)).toBe(true);
  });

  test("that is empty is refused", async () => {
    const { pid } = await start(["sleep", "100"]); // leads no group: it is in ours
    await expect(hobbler.add({ group: pid }, longStop).ready).rejects.toMatchObject({ code: "ESRCH" });
  });

  test("may not hold ourselves", async () => {
    await expect(hobbler.add({ group: groupOf(process.pid) }, longStop).ready).rejects.toMatchObject({ code: "ERR_PROTECTED" });
  });
});
