import { once } from "node:events";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { HobbleClient } from "../src/control/client.js";
import { HobbleError } from "../src/errors.js";
import { ownDirectory, startControl } from "./helpers/control.js";
import { madeUpTarget } from "./helpers/fake-supervisor.js";
import { startSleeper, until } from "./helpers/processes.js";

const three = [madeUpTarget({ pid: 30 }), madeUpTarget({ pid: 10, user: "bob", uid: 1001 }), madeUpTarget({ pid: 20, by: "tarpit" })];

describe("the client asks and the daemon answers", () => {
  test("targets, in the order of their PIDs, all or some", async () => {
    const control = await startControl(three);
    const client = control.client();
    expect((await client.targets()).map(({ pid }) => pid)).toEqual([10, 20, 30]);
    expect((await client.targets({ user: "bob" })).map(({ pid }) => pid)).toEqual([10]);
    expect((await client.targets({ user: "1001" })).map(({ pid }) => pid)).toEqual([10]);
    expect((await client.targets({ by: "tarpit" })).map(({ pid }) => pid)).toEqual([20]);
    expect(await client.targets({ name: "nothing" })).toEqual([]);
    expect(await client.target(20)).toEqual(three[2]);
    await expect(client.target(40)).rejects.toMatchObject({ code: "ESRCH", message: "process 40 is no target", pid: 40 });
  });

  test("ten thousand of them", async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => madeUpTarget({ pid: at + 1 }));
    const control = await startControl(many);
    expect(await control.client().targets()).toEqual(many);
  });

  test("add, remove, off, on, reload", async () => {
    const { pid } = await startSleeper();
    const control = await startControl();
    const client = control.client();
    const added = await client.add({ pid, run: "10ms", stop: "250ms", reason: "too loud" });
    expect(added).toMatchObject({ pid, runNs: 10e6, stopNs: 250e6, origin: "hand", byUid: 0 });
    await client.remove(pid);
    await client.off();
    expect((await client.status()).off).toMatchObject({ by: "root" });
    await client.on();
    expect(await client.status()).toMatchObject({ off: null, uid: 0, user: "root", admin: true });
    expect(await client.reload()).toEqual(control.supervisor.reloadAnswer);
    expect(control.supervisor.calls).toEqual([
      `add ${pid} by root`,
      `remove ${pid} by root`,
      "off by root",
      "on by root",
      "reload by root",
    ]);
  });

  test("a limit may be a percentage of one CPU", async () => {
    const { pid } = await startSleeper();
    const control = await startControl();
    expect(await control.client().add({ pid, limit: "5%" })).toMatchObject({ limit: 0.05, runNs: null });
  });

  test("events: those remembered, and those to come, until the client goes", async () => {
    const control = await startControl();
    const client = control.client();
    for (const reason of ["one", "two", "three"]) control.supervisor.decide("warning", { reason });
    const remembered = [];
    for await (const { reason } of client.events({ after: 1 })) remembered.push(reason);
    expect(remembered).toEqual(["two", "three"]);

    const abort = new AbortController();
    const followed: string[] = [];
    const following = (async () => {
      for await (const { reason } of client.events({ follow: true, after: 3, signal: abort.signal })) followed.push(reason);
    })();
    await until(() => control.supervisor.followers === 1, "somebody follows");
    control.supervisor.decide("warning", { reason: "four" });
    await until(() => followed.length === 1, "it is told");
    expect(followed).toEqual(["four"]);
    abort.abort();
    await following;
    await until(() => control.supervisor.followers === 0, "nobody follows");
  });

  test("requests that do not wait for the answer before them leave nothing behind", async () => {
    const control = await startControl();
    const socket = connect(control.path);
    socket.on("error", () => {}).resume();
    socket.write("GET /v1/events?follow=true HTTP/1.1\r\nHost: hobble\r\n\r\n".repeat(500));
    await once(socket, "close");
    await until(() => control.supervisor.followers === 0, "nobody follows");
    expect(await control.client().targets()).toEqual([]);
  });

  test("where no daemon answers, the error says so", async () => {
    const client = new HobbleClient({ socket: join(ownDirectory(), "none.sock") });
    await expect(client.status()).rejects.toMatchObject({ code: "ERR_NO_DAEMON", message: expect.stringContaining("hobble daemon") });
  });
});

/** Status and body of a request made by hand. */
async function ask(path: string, method: string, url: string, body?: string | Buffer): Promise<{ status: number; text: string }> {
  const asking = request({ socketPath: path, method, path: url, agent: false });
  asking.end(body);
  const [response] = await once(asking, "response");
  let text = "";
  for await (const piece of response.setEncoding("utf8")) text += piece;
  return { status: response.statusCode, text };
}

describe("what cannot be right is refused and changes nothing", () => {
  test.each<[string, string, string, string | undefined, number, RegExp]>([
    ["an address that is none", "GET", "/v2/targets", undefined, 404, /there is nothing at \/v2\/targets/],
    ["a wrong method", "PUT", "/v1/targets", undefined, 405, /only for GET, POST/],
    ["a wrong method for events", "POST", "/v1/events", undefined, 405, /only for GET/],
    ["a PID that is none", "GET", "/v1/targets/abc", undefined, 400, /must be a PID/],
    ["PID 0", "DELETE", "/v1/targets/0", undefined, 400, /must be a PID/],
    ["a PID with zeros and more", "GET", "/v1/targets/99999999999999999999", undefined, 400, /must be a PID/],
    ["an unknown question", "GET", "/v1/targets?colour=red", undefined, 400, /there is no option \\"colour\\"/],
    ["a body where none belongs", "POST", "/v1/off", '{"now":true}', 400, /there is no option \\"now\\"/],
    ["no JSON", "POST", "/v1/targets", "{", 400, /is no JSON/],
    ["no object", "POST", "/v1/targets", "7", 400, /the body must be an object/],
    ["nothing to do", "POST", "/v1/targets", '{"pid":2}', 400, /give run and stop, or limit, or pool/],
    ["half a cycle", "POST", "/v1/targets", '{"pid":2,"run":"1ms"}', 400, /run and stop go together/],
    ["a cycle and a limit", "POST", "/v1/targets", '{"pid":2,"run":"1ms","stop":"1ms","limit":1}', 400, /not both/],
    ["a window of nothing", "POST", "/v1/targets", '{"pid":2,"run":0,"stop":"1ms"}', 400, /run must be a duration/],
    ["a limit of nothing", "POST", "/v1/targets", '{"pid":2,"limit":"0%"}', 400, /limit must be a number of CPUs from 0.0001/],
    ["a reason of two lines", "POST", "/v1/targets", '{"pid":2,"limit":1,"reason":"a\\nb"}', 400, /reason must be a text of one line/],
    ["a process that is not there", "POST", "/v1/targets", '{"pid":4194304,"limit":1}', 404, /there is no process 4194304/],
    ["a name that JavaScript knows", "POST", "/v1/targets", '{"pid":2,"limit":1,"__proto__":{"admin":true}}', 400, /there is no option/],
    ["events from nowhere", "GET", "/v1/events?after=-1", undefined, 400, /after must be/],
  ])("%s", async (_, method, url, body, status, message) => {
    const control = await startControl(three);
    const answer = await ask(control.path, method, url, body);
    expect(answer.text).toMatch(message);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    expect(control.supervisor.calls).toEqual([]);
    expect(control.warnings).toEqual([]);
  });

  test("a body that is too long", async () => {
    const control = await startControl();
    const answer = await ask(control.path, "POST", "/v1/targets", Buffer.alloc(70_000, " "));
    expect(answer).toMatchObject({ status: 413, text: expect.stringContaining("65536 bytes at most") });
  });

  test("headers that are too long, and what is not HTTP", async () => {
    const control = await startControl();
    for (const text of [`GET /v1/status HTTP/1.1\r\nx: ${"y".repeat(100_000)}\r\n\r\n`, "\u0000\u0001\u0002 nonsense\r\n\r\n"]) {
      const socket = connect(control.path);
      let answer = "";
      socket.setEncoding("utf8").on("data", (piece) => (answer += piece));
      socket.on("error", () => {});
      socket.write(text);
      await once(socket, "close");
      expect(answer).toMatch(/^HTTP\/1.1 4(00|31) /);
    }
    expect(await control.client().targets()).toEqual([]);
  });

  test("an error inside is told to the operator, not to whoever asked in detail", async () => {
    const control = await startControl();
    control.supervisor.reload = async () => {
      throw new TypeError("oops");
    };
    expect(await ask(control.path, "POST", "/v1/reload")).toMatchObject({ status: 500 });
    expect(control.warnings).toEqual([expect.stringContaining("TypeError: oops")]);
  });
});

describe("the socket", () => {
  const refusal = (message: RegExp) => ({ code: "ERR_SOCKET", message: expect.stringMatching(message) });

  test("a second daemon is refused, the first goes on", async () => {
    const first = await startControl(three);
    await expect(startControl([], { path: first.path })).rejects.toMatchObject(refusal(/in use: another daemon answers/));
    expect(await first.client().targets()).toHaveLength(3);
  });

  test("a socket that nobody listens at is replaced", async () => {
    const path = join(ownDirectory(), "hobble.sock");
    const server = createServer();
    server.listen(path);
    await once(server, "listening");
    renameSync(path, `${path}.kept`); // closing would take it away
    server.close();
    renameSync(`${path}.kept`, path);
    const control = await startControl(three, { path });
    expect(await control.client().targets()).toHaveLength(3);
  });

  test.each<[string, (path: string) => void, RegExp]>([
    ["a symbolic link", (path) => symlinkSync("/tmp/elsewhere", path), /is a symbolic link; remove it/],
    ["a file", (path) => writeFileSync(path, "precious"), /is there already and is no socket/],
    ["a directory", (path) => mkdirSync(path), /is there already and is no socket/],
  ])("%s in its place is left alone", async (_, put, message) => {
    const path = join(ownDirectory(), "hobble.sock");
    put(path);
    await expect(startControl([], { path })).rejects.toMatchObject(refusal(message));
  });

  test.each([
    ["relative/hobble.sock", /is not an absolute path/],
    [`/tmp/${"x".repeat(120)}`, /is longer than/],
    ["/proc/none/hobble.sock", /has no directory, and it cannot be made/],
  ])("%s is no path for it", async (path, message) => {
    await expect(startControl([], { path })).rejects.toMatchObject(refusal(message));
  });

  test("one that was deleted is made anew, those connected go on", async () => {
    const control = await startControl(three);
    const before = control.client();
    const following = before.events({ follow: true })[Symbol.asyncIterator]();
    const next = following.next();
    await until(() => control.supervisor.followers === 1, "somebody follows");
    rmSync(control.path);
    await until(() => control.warnings.length > 0, "it is noticed");
    expect(control.warnings).toEqual([expect.stringContaining("was gone; made anew")]);
    expect(await control.client().targets()).toHaveLength(3);
    control.supervisor.decide("warning", { reason: "still here" });
    expect((await next).value).toMatchObject({ reason: "still here" });
    await following.return?.(undefined);
    await sleep(100); // the old server ends; it must not take the new socket with it
    expect(await control.client().targets()).toHaveLength(3);
  });

  test("it goes with the daemon, also after it was made anew, and those that follow are let go", async () => {
    const control = await startControl();
    const following = control.client().events({ follow: true })[Symbol.asyncIterator]();
    const next = following.next().catch(() => "let go");
    await until(() => control.supervisor.followers === 1, "somebody follows");
    rmSync(control.path);
    await until(() => control.warnings.length > 0, "it is noticed");
    await control.server.close();
    await next;
    await until(() => control.supervisor.followers === 0, "nobody follows");
  });

  test("it goes with the daemon", async () => {
    const control = await startControl();
    await control.server.close();
    await expect(control.client().status()).rejects.toBeInstanceOf(HobbleError);
    const again = await startControl(three, { path: control.path });
    expect(await again.client().targets()).toHaveLength(3);
  });
});
