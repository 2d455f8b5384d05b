import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startControl } from "./helpers/control.js";
import { madeUpTarget } from "./helpers/fake-supervisor.js";

/** Inputs of the fuzzer: HOBBLE_FUZZ=1000000 for a soak. */
const inputs = Number(process.env.HOBBLE_FUZZ ?? 600);

describe("many at once", () => {
  test("a thousand clients are all answered", async () => {
    const control = await startControl([madeUpTarget({ pid: 7 })]);
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const asking = request({ socketPath: control.path, path: "/v1/targets/7", agent: false });
        asking.end();
        const [response] = await once(asking, "response");
        response.resume();
        return response.statusCode;
      }),
    );
    expect(answers.filter((status) => status === 200)).toHaveLength(1000);
  });

  test("a request that never ends is ended, and keeps nobody waiting", { timeout: 40_000 }, async () => {
    const control = await startControl([madeUpTarget({ pid: 7 })]);
    const slow = connect(control.path);
    let answer = "";
    slow.setEncoding("utf8").on("data", (piece) => (answer += piece));
    slow.on("error", () => {});
    slow.write("POST /v1/targets HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    expect(await control.client().targets()).toHaveLength(1);
    await once(slow, "close");
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(control.supervisor.calls).toEqual([]);
  });
});

describe("whatever is asked", () => {
  const paths = fc.constantFrom(
    "/v1/targets",
    "/v1/targets/7",
    "/v1/processes/7",
    "/v1/status",
    "/v1/events",
    "/v1/stats",
    "/metrics",
    "/v1/off?x=1",
  );
  const path = fc.oneof(
    paths,
    fc.tuple(paths, fc.string()).map(([start, end]) => `${start}?${encodeURIComponent(end)}`),
    fc.webPath().map((text) => text || "/"),
  );
  const keys = fc.constantFrom("pid", "kind", "run", "stop", "limit", "pool", "for", "reason", "__proto__", "constructor", "x");
  const values = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom("10ms", "5%", "tree", 4_194_304, -1, 0));
  const body = fc.oneof(
    fc.string(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc
      .array(fc.tuple(keys, values))
      .map((entries) => `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`),
  );
  // Not DELETE, and only PIDs that no process has: what is right would be done.
  const method = fc.constantFrom("GET", "POST", "PUT", "OPTIONS");

  test("it answers with JSON or figures, goes on, and does nothing by mistake", { timeout: 30_000 + inputs * 10 }, async () => {
    const control = await startControl([madeUpTarget({ pid: 7 })]);
    const ask = (verb: string, url: string, text: string) =>
      new Promise<{ status: number; body: string }>((resolve, reject) => {
        const headers = verb === "GET" ? {} : { "content-length": Buffer.byteLength(text) };
        const asking = request({ socketPath: control.path, method: verb, path: url, headers, agent: false }, (response) => {
          let answer = "";
          response.setEncoding("utf8").on("data", (piece) => (answer += piece));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: answer }));
        });
        asking.on("error", reject);
        asking.end(verb === "GET" ? undefined : text);
      });
    await fc.assert(
      fc.asyncProperty(method, path, body, async (verb, url, text) => {
        const { status, body: answer } = await ask(verb, url, text);
        expect(status).toBeLessThan(500);
        expect(status).toBeGreaterThanOrEqual(200);
        if (status >= 400) expect(JSON.parse(answer)).toMatchObject({ error: { message: expect.any(String) } });
      }),
      { numRuns: inputs },
    );
    expect(control.warnings).toEqual([]);
    expect(control.supervisor.calls.filter((call) => !/^(off|on|reload)/.test(call))).toEqual([]);
    expect(await control.client().targets()).toHaveLength(1);
  });

  test("bytes that are no HTTP", async () => {
    const control = await startControl([madeUpTarget({ pid: 7 })]);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const socket = connect(control.path);
        socket.on("error", () => {});
        socket.resume();
        socket.end(Buffer.concat([Buffer.from(bytes), Buffer.from("\r\n\r\n")]));
        await once(socket, "close");
      }),
      { numRuns: Math.ceil(Math.min(inputs, 50_000) / 10) },
    );
    expect(control.warnings).toEqual([]);
    expect(await control.client().targets()).toHaveLength(1);
  });
});
