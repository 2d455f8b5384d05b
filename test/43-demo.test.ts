import { expect, test } from "vitest";
import { hobble } from "./helpers/cli.js";
import { childrenOf, stateOf, until } from "./helpers/processes.js";

test("demo hobbles real burners within 2 % of the duty asked for, and leaves nothing behind", async () => {
  const demo = await hobble(["demo", "--json"]);
  await until(() => childrenOf(demo.pid).length === 4, "it has burners");
  const burners = childrenOf(demo.pid);
  expect(await demo.exit).toBe(0);
  expect(burners.map(stateOf)).toEqual(["gone", "gone", "gone", "gone"]);
  expect(demo.stderr()).toBe("");

  const [result] = demo.events() as [{ targets: { stats: { pid: number; dutyAsked: number; dutyAchieved: number } }[]; missed: number }];
  // Of some ninety windows; a host that stands still for 10 ms makes all four miss one.
  expect(result.missed).toBeLessThan(9);
  expect(result.targets.map(({ stats }) => stats.pid).sort()).toEqual([...burners].sort());
  for (const { stats } of result.targets) expect(Math.abs(stats.dutyAchieved / stats.dutyAsked - 1)).toBeLessThan(0.02);
});

test("demo tells people the same, and ends early when asked to", async () => {
  const demo = await hobble(["demo"]);
  await until(() => /CPU spent: (\d+\.\d+ %(, )?){4}\n/.test(demo.stdout()), "it shows progress");
  const burners = childrenOf(demo.pid);
  demo.child.kill("SIGINT");
  expect(await demo.exit).toBe(0);
  expect(burners.map(stateOf)).toEqual(["gone", "gone", "gone", "gone"]);
  expect(demo.stdout()).toMatch(/process +CPU before +duty asked +achieved +CPU spent/);
  expect(demo.stdout()).toMatch(/own CPU +engine \d+\.\d+ % of a CPU/);
  expect(demo.stdout()).toMatch(/timer thread +\S+/);
});

test("burners die with a demo that is killed", async () => {
  const demo = await hobble(["demo"]);
  await until(() => demo.stdout().includes("hobbling them"), "it hobbles");
  const burners = childrenOf(demo.pid);
  expect(burners).toHaveLength(4);
  demo.child.kill("SIGKILL");
  await demo.exit;
  await until(() => burners.every((pid) => stateOf(pid) === "gone"), "all are gone");
});
