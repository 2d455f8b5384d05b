/** Quotas and the accounts they are counted on, with made-up processes and clocks. */
import { describe, expect, test } from "vitest";
import { CpuAccounting } from "../src/rules/accounting.js";
import { readConfiguration } from "../src/rules/configuration.js";
import { type AccountState, QuotaLedger } from "../src/rules/quota.js";
import { type MadeUp, madeUp } from "./helpers/made-up.js";

const hour = 3_600_000;
/** A Wednesday, midnight UTC. */
const midnight = Date.UTC(2026, 0, 7);

function ledger(settings: string): QuotaLedger {
  const { configuration, problems } = readConfiguration([{ file: "f", text: `[[quota]]\n${settings}` }]);
  const [quota] = configuration?.quotas ?? [];
  if (quota === undefined) throw new Error(JSON.stringify(problems));
  return new QuotaLedger(quota, () => 0);
}

const daily =
  'per = "user"\ncpuSeconds = 2000\nevery = "1d"\nexempt = ["root"]\ntiers = [{ limit = "50%" }, { limit = "20%" }, { limit = "5%" }]\n';

describe("a calendar window", () => {
  test("the tier is that of the use, and ends with the day", () => {
    const accounts = ledger(daily);
    const spend = (seconds: number, atMs: number) => {
      accounts.charge("a", seconds * 1e9, midnight + atMs);
      accounts.settle(midnight + atMs);
      return accounts.tierOf("a");
    };
    expect(spend(1999, hour)).toBe(0);
    expect(spend(1, 2 * hour)).toBe(1);
    expect(spend(1999, 3 * hour)).toBe(1);
    expect(spend(1, 4 * hour)).toBe(2);
    expect(spend(20_000, 5 * hour)).toBe(3);
    expect(spend(0, 24 * hour - 1)).toBe(3);
    accounts.settle(midnight + 24 * hour);
    expect(accounts.tierOf("a")).toBe(0);
  });

  test("the standing tells how much is used and when it renews", () => {
    const accounts = ledger(daily);
    accounts.charge("a", 500e9, midnight + hour);
    expect(accounts.standing("a", midnight + 2 * hour)).toMatchObject({
      usedCpuSeconds: 500,
      tier: 0,
      exempt: false,
      renewsAtMs: midnight + 24 * hour,
      decaysAtMs: null,
    });
    expect(accounts.standing("nobody", midnight)).toMatchObject({ usedCpuSeconds: 0, tier: 0 });
  });

  test("who is exempt is counted and left alone", () => {
    const accounts = ledger(daily);
    accounts.charge("root", 1e13, midnight);
    expect(accounts.settle(midnight)).toEqual([]);
    expect(accounts.standing("root", midnight)).toMatchObject({ usedCpuSeconds: 1e4, tier: 0, exempt: true });
  });

  test("accounts do not mix", () => {
    const accounts = ledger(daily);
    accounts.charge("a", 2000e9, midnight);
    accounts.charge("b", 1000e9, midnight);
    expect(accounts.settle(midnight)).toEqual([{ key: "a", from: 0, to: 1, usedCpuSeconds: 2000 }]);
  });

  test("weeks begin on Monday", () => {
    const accounts = ledger(daily.replace('"1d"', '"1w"'));
    accounts.charge("a", 2000e9, midnight);
    accounts.settle(midnight);
    expect(accounts.standing("a", midnight).renewsAtMs).toBe(Date.UTC(2026, 0, 12));
  });
});

describe("decay", () => {
  test("each further quota is a tier up, also in the next window; good behaviour brings one back at a time", () => {
    const accounts = ledger(`${daily}decay = "3h"\n`);
    const at = (atMs: number, seconds = 0) => {
      accounts.charge("a", seconds * 1e9, midnight + atMs);
      accounts.settle(midnight + atMs);
      return accounts.tierOf("a");
    };
    expect(at(hour, 2000)).toBe(1);
    expect(at(20 * hour)).toBe(1); // still over: nothing decays
    expect(at(24 * hour)).toBe(1); // the window is new, the tier is not
    expect(at(25 * hour, 2000)).toBe(2);
    expect(at(47 * hour)).toBe(2);
    expect(at(48 * hour)).toBe(2);
    expect(at(51 * hour - 1)).toBe(2);
    expect(at(51 * hour)).toBe(1);
    expect(accounts.standing("a", midnight + 51 * hour).decaysAtMs).toBe(midnight + 54 * hour);
    expect(at(54 * hour)).toBe(0);
  });

  test("a daemon that was away for long makes up for it", () => {
    const accounts = ledger(`${daily}decay = "3h"\n`);
    accounts.charge("a", 6000e9, midnight);
    accounts.settle(midnight);
    expect(accounts.tierOf("a")).toBe(3);
    accounts.settle(midnight + 24 * hour);
    accounts.settle(midnight + 31 * hour);
    expect(accounts.tierOf("a")).toBe(1);
  });
});

describe("a sliding window", () => {
  test("use falls out as it grows old", () => {
    const accounts = ledger('per = "user"\ncpuSeconds = 100\nevery = "1h"\nwindow = "sliding"\ntiers = [{ limit = "50%" }]\n');
    const minute = 60_000;
    const at = (atMs: number, seconds = 0) => {
      accounts.charge("a", seconds * 1e9, midnight + atMs);
      accounts.settle(midnight + atMs);
      return [accounts.tierOf("a"), accounts.standing("a", midnight + atMs).usedCpuSeconds];
    };
    expect(at(0, 60)).toEqual([0, 60]);
    expect(at(30 * minute, 60)).toEqual([1, 120]);
    expect(at(59 * minute)).toEqual([1, 120]);
    expect(at(61 * minute)).toEqual([0, 60]);
    expect(at(91 * minute)).toEqual([0, 0]);
    expect([...accounts.keys()]).toEqual([]);
  });
});

test("a restart goes on where it was", () => {
  const before = ledger(`${daily}decay = "3h"\n`);
  before.charge("a", 4000e9, midnight);
  before.settle(midnight);
  const after = ledger(`${daily}decay = "3h"\n`);
  after.restore(JSON.parse(JSON.stringify(before.state())), midnight);
  expect(after.tierOf("a")).toBe(2);
  after.charge("a", 2000e9, midnight + hour);
  after.settle(midnight + hour);
  expect(after.tierOf("a")).toBe(3);
});

test("a window or tiers that became shorter do not keep what was counted by the longer", () => {
  const hourly = ledger(`${daily.replace('"1d"', '"1h"')}decay = "3h"\n`);
  hourly.charge("a", 9000e9, midnight);
  hourly.settle(midnight);
  const after = ledger(daily);
  after.restore(JSON.parse(JSON.stringify(hourly.state())), midnight);
  expect(after.standing("a", midnight).usedCpuSeconds).toBe(0);
  after.charge("a", 10e9, midnight);
  expect(after.standing("a", midnight).usedCpuSeconds).toBe(10);
  const [account] = Object.values(hourly.state());
  after.restore({ b: { ...(account as AccountState), tier: 99 } }, midnight);
  expect(after.tierOf("b")).toBe(after.quota.tiers.length);
});

describe("what is charged", () => {
  function host(...made: MadeUp[]) {
    const accounting = new CpuAccounting();
    const processes = new Map(made.map((process) => [process.pid, process]));
    let nowNs = 1e12;
    return {
      accounting,
      processes,
      scan() {
        nowNs += 2e9;
        const charged: Record<number, number> = {};
        accounting.scan(processes, nowNs, (process, ns) => {
          charged[process.pid] = ns / 1e9;
        });
        return charged;
      },
    };
  }

  test("what ran before the daemon is on nobody's account; what starts later is, from its start", () => {
    const { processes, scan } = host(madeUp({ cpuNs: 50e9 }));
    expect(scan()).toEqual({});
    processes.set(101, madeUp({ pid: 101, cpuNs: 1e9 }));
    expect(scan()).toEqual({ 101: 1 });
    const process = processes.get(100);
    if (process !== undefined) process.cpuNs = 53e9;
    expect(scan()).toEqual({ 100: 3 });
  });

  test("a child that came and went is found with its parent", () => {
    const parent = madeUp();
    const { scan } = host(parent);
    scan();
    parent.waitedNs = 4e9;
    expect(scan()).toEqual({ 100: 4 });
  });

  test("what a child was charged while it lived is not charged again when it is waited for", () => {
    const parent = madeUp();
    const { processes, scan } = host(parent);
    scan();
    const child = madeUp({ pid: 101, parentPid: 100, cpuNs: 3e9 });
    processes.set(101, child);
    expect(scan()).toEqual({ 101: 3 });
    processes.delete(101);
    parent.waitedNs = 3.5e9;
    expect(scan()).toEqual({ 100: 0.5 });
  });

  test("nor when it is waited for only after a while", () => {
    const parent = madeUp();
    const { processes, scan } = host(parent);
    scan();
    processes.set(101, madeUp({ pid: 101, parentPid: 100, cpuNs: 3e9 }));
    scan();
    processes.delete(101);
    expect(scan()).toEqual({});
    parent.waitedNs = 3e9;
    expect(scan()).toEqual({});
    parent.waitedNs = 4e9;
    expect(scan()).toEqual({ 100: 1 });
  });

  test("grandchildren count once, whoever waits for them", () => {
    const shell = madeUp();
    const make = madeUp({ pid: 101, parentPid: 100 });
    const { processes, scan } = host(shell, make);
    scan();
    make.waitedNs = 10e9; // compilers that came and went
    expect(scan()).toEqual({ 101: 10 });
    processes.delete(101);
    shell.waitedNs = 10e9;
    expect(scan()).toEqual({});
  });

  test.each(["the child first", "the parent first"])(
    "a child and its parent that go between the same two scans count once: %s is known",
    (order) => {
      const shell = madeUp();
      const [wrapper, worker] = [madeUp({ pid: 102, parentPid: 100 }), madeUp({ pid: 101, parentPid: 102 })];
      const { processes, scan } = host(shell, ...(order === "the child first" ? [worker, wrapper] : [wrapper, worker]));
      scan();
      worker.cpuNs = 10e9;
      expect(scan()).toEqual({ 101: 10 });
      processes.delete(101);
      processes.delete(102);
      shell.waitedNs = 10e9;
      expect(scan()).toEqual({});
      shell.waitedNs = 12e9;
      expect(scan()).toEqual({ 100: 2 });
    },
  );

  test("another process with the same PID begins anew", () => {
    const { processes, scan } = host(madeUp({ cpuNs: 5e9 }));
    scan();
    processes.set(100, madeUp({ startTime: 7, cpuNs: 2e9 }));
    expect(scan()).toEqual({ 100: 2 });
  });

  test("after a restart, what was spent meanwhile is charged once", () => {
    const before = host(madeUp({ cpuNs: 5e9 }));
    before.scan();
    const after = host(madeUp({ cpuNs: 9e9 }), madeUp({ pid: 200, cpuNs: 1e9 }));
    after.accounting.restore(JSON.parse(JSON.stringify(before.accounting.state())));
    expect(after.scan()).toMatchObject({ 100: 4 });
    expect(after.scan()).toEqual({});
  });
});
