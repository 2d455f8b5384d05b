import { describe, expect, test } from "vitest";
import { Hobbler } from "../src/index.js";
import { runsOn, startBurner, startSleeper, stateOf, until } from "./helpers/processes.js";

const longStop = { run: "1ms", stop: "10m" };

async function hobbled(hobbler: Hobbler): Promise<{ pid: number; target: ReturnType<Hobbler["add"]> }> {
  const { pid } = await startSleeper();
  const target = hobbler.add(pid, longStop);
  await target.ready;
  await until(() => stateOf(pid) === "T", "it is stopped");
  return { pid, target };
}

describe("close", () => {
  test("resumes everything and ends every target", async () => {
    const hobbler = new Hobbler();
    const { pid, target } = await hobbled(hobbler);
    const pending = hobbler.add(pid, longStop); // refused or closed, but never forgotten
    await hobbler.close();
    expect(stateOf(pid)).not.toBe("T");
    expect(await runsOn(pid)).toBe(true);
    await expect(target.ended).resolves.toBe("closed");
    await expect(pending.ready).rejects.toMatchObject({ name: "HobbleError" });
    expect(hobbler.targets.size).toBe(0);
  });

  test("may be called again, and then nothing can be added", async () => {
    const hobbler = new Hobbler();
    const { pid } = await startSleeper();
    await Promise.all([hobbler.close(), hobbler.close()]);
    await hobbler.close();
    expect(() => hobbler.add(pid, longStop)).toThrow(expect.objectContaining({ code: "ERR_CLOSED", pid }));
    expect(hobbler.stats().targets).toBe(0);
    hobbler.pause();
    hobbler.resume();
  });

  test("comes at the end of `await using`", async () => {
    const { pid } = await startSleeper();
    {
      await using hobbler = new Hobbler();
      await hobbler.add(pid, longStop).ready;
      await until(() => stateOf(pid) === "T", "it is stopped");
    }
    expect(stateOf(pid)).not.toBe("T");
  });

  test("comes when the signal is aborted", async () => {
    const abort = new AbortController();
    const hobbler = new Hobbler({ signal: abort.signal });
    const { pid, target } = await hobbled(hobbler);
    abort.abort();
    await hobbler.close();
    await expect(target.ended).resolves.toBe("closed");
    expect(stateOf(pid)).not.toBe("T");
    expect(() => new Hobbler({ signal: abort.signal })).toThrow(expect.objectContaining({ name: "AbortError" }));
  });
});

test("`for` ends it on the native side, while the event loop is blocked", async () => {
  const hobbler = new Hobbler({ for: "300ms" });
  const { pid, target } = await hobbled(hobbler);
  let finished = 0;
  hobbler.on("finished", () => finished++);
  const until400 = performance.now() + 600;
  while (performance.now() < until400);
  expect(stateOf(pid)).not.toBe("T");
  hobbler.ref();
  await expect(target.ended).resolves.toBe("finished");
  await until(() => finished === 1, "the event came");
  expect(() => hobbler.add(process.pid, { run: 1, stop: 1 })).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
  expect(hobbler.targets.size).toBe(0);
  await hobbler.close();
});

describe("pause", () => {
  test("resumes everything before it returns; resume goes back to the cycles", async () => {
    const hobbler = new Hobbler();
    const { pid, target } = await hobbled(hobbler);
    hobbler.pause();
    expect(stateOf(pid)).not.toBe("T");
    expect(target.state).toBe("paused");
    expect(await runsOn(pid)).toBe(true);
    hobbler.resume();
    await until(() => stateOf(pid) === "T", "it is stopped again");
    await hobbler.close();
    expect(stateOf(pid)).not.toBe("T");
  });

  test("holds for what is added meanwhile", async () => {
    const hobbler = new Hobbler();
    hobbler.pause();
    const { pid } = await startBurner();
    const target = hobbler.add(pid, longStop);
    await target.ready;
    expect(await runsOn(pid)).toBe(true);
    hobbler.resume();
    await until(() => stateOf(pid) === "T", "it is stopped");
    await hobbler.close();
  });
});
