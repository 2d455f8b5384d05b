/** The scripts that install, compile and clean up, up to the point where they would reach for the network. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dependenciesInstalled, isFresh, remake } from "../scripts/freshness.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hobble-bootstrap-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function runScript(name: string, env: NodeJS.ProcessEnv = process.env, nodeArgs: string[] = []) {
  return spawnSync(process.execPath, [...nodeArgs, `scripts/${name}`], { encoding: "utf8", env });
}

describe("what is made again", () => {
  const product = () => ({ root: folder, inputs: ["src", "options.json"], outputs: ["out/a.js"], stamp: "out/stamp" });
  const make = () => put("out/a.js", "made");

  beforeEach(() => {
    put("src/a.ts", "1");
    put("src/deep/b.ts", "2");
    put("options.json", "{}");
  });

  test("nothing was made yet", () => {
    expect(isFresh(product())).toBe(false);
  });

  test("made, and nothing changed", () => {
    remake(product(), make);
    expect(isFresh(product())).toBe(true);
  });

  test("only the modification time changed", () => {
    remake(product(), make);
    utimesSync(join(folder, "src/a.ts"), new Date(), new Date());
    expect(isFresh(product())).toBe(true);
  });

  test.each([
    ["a source was edited", () => put("src/deep/b.ts", "3")],
    ["a source was added", () => put("src/c.ts", "")],
    ["a source was deleted", () => rmSync(join(folder, "src/deep/b.ts"))],
    ["a source was renamed", () => [rmSync(join(folder, "src/a.ts")), put("src/z.ts", "1")]],
    ["the output is missing", () => rmSync(join(folder, "out/a.js"))],
  ])("%s", (_, change) => {
    remake(product(), make);
    change();
    expect(isFresh(product())).toBe(false);
  });

  test("a source was edited while the product was made", () => {
    remake(product(), () => {
      make();
      put("src/a.ts", "edited");
    });
    expect(isFresh(product())).toBe(false);
  });

  test("making it failed", () => {
    const fail = () => {
      make();
      throw new Error("does not compile");
    };
    expect(() => remake(product(), fail)).toThrow("does not compile");
    expect(isFresh(product())).toBe(false);
  });
});

describe("whether the dependencies are installed", () => {
  const wanted = { "": { name: "x" }, "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0", optional: true } };
  const lock = (path: string, packages: object) => put(path, JSON.stringify({ packages }));

  test.each([
    ["no node_modules", undefined, false],
    ["all of them", { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0" } }, true],
    ["all but one that is optional", { "node_modules/a": { version: "1.0.0" } }, true],
    ["one missing", { "node_modules/b": { version: "2.0.0" } }, false],
    ["one in another version", { "node_modules/a": { version: "1.0.1" } }, false],
  ])("%s", (_, installed, expected) => {
    lock("package-lock.json", wanted);
    if (installed) lock("node_modules/.package-lock.json", installed);
    expect(dependenciesInstalled(folder)).toBe(expected);
  });
});

describe("ensure-built", () => {
  test("is silent when nothing is to do", () => {
    expect(runScript("ensure-built.mjs").status).toBe(0);
    expect(runScript("ensure-built.mjs")).toMatchObject({ status: 0, stdout: "", stderr: "" });
  }, 300_000);
});

describe("build-native", () => {
  /** A PATH with these programs only. */
  function only(...programs: string[]): NodeJS.ProcessEnv {
    for (const program of programs) {
      put(`bin/${program}`, `#!/bin/sh\nPATH='${process.env.PATH}' exec ${program} "$@"\n`);
      chmodSync(join(folder, "bin", program), 0o755);
    }
    return { PATH: join(folder, "bin") };
  }

  test("no compiler, no make, no Python: one sentence says what to install", () => {
    const { status, stdout, stderr } = runScript("build-native.mjs", only());
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("without a C++ compiler and make and Python 3;");
    for (const installer of ["apt-get install", "dnf install", "apk add"]) expect(stderr).toContain(installer);
  });

  test("only what is missing is named", () => {
    expect(runScript("build-native.mjs", only("g++", "python3")).stderr).toContain("cannot be compiled without make;");
  });

  test("a compiler that knows no C++20", () => {
    put("bin/g++", "#!/bin/sh\nexit 1\n");
    chmodSync(join(folder, "bin/g++"), 0o755);
    expect(runScript("build-native.mjs", only("make", "python3")).stderr).toContain("without C++20 and the Linux headers for g++");
  });

  test("another system than Linux: one sentence, and no failure", () => {
    const elsewhere = 'data:text/javascript,Object.defineProperty(process, "platform", { value: "darwin" })';
    const { status, stdout, stderr } = runScript("build-native.mjs", only(), ["--import", elsewhere]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^hobble: .*Linux only.*darwin.*\n$/);
  });
});

describe("leftovers", () => {
  // A stopped process outlives its parent unless the kernel kills it then.
  const STOPS_ITSELF = ["--pdeathsig", "KILL", "sh", "-c", "kill -STOP $$"];
  const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "latin1").match(/.*\) (.)/s)?.[1];

  test("finds and kills what its run left stopped, and leaves others alone", async () => {
    const [ours, other] = ["ours", "other"].map((mark) =>
      spawn("setpriv", STOPS_ITSELF, { env: { ...process.env, HOBBLE_RUN: mark + folder } }),
    );
    try {
      await expect.poll(() => [ours, other].map((child) => stateOf(child?.pid ?? 0)), { timeout: 5_000 }).toEqual(["T", "T"]);
      const { status, stdout } = spawnSync(process.execPath, ["scripts/leftovers.mjs", `ours${folder}`], { encoding: "utf8" });
      expect({ status, stdout }).toEqual({ status: 1, stdout: `left stopped: PID ${ours?.pid} (sh)\n` });
      await expect.poll(() => ours?.signalCode, { timeout: 5_000 }).toBe("SIGKILL");
      expect(stateOf(other?.pid ?? 0)).toBe("T");
    } finally {
      ours?.kill("SIGKILL");
      other?.kill("SIGKILL");
    }
  });

  test("finds what burns, and not what sleeps", async () => {
    const env = { ...process.env, HOBBLE_RUN: folder };
    const burner = spawn("timeout", ["20", "sh", "-c", "while :; do :; done"], { env });
    const sleeper = spawn("sleep", ["20"], { env });
    try {
      await new Promise((resolve) => sleeper.once("spawn", resolve));
      const { status, stdout } = spawnSync(process.execPath, ["scripts/leftovers.mjs", folder], { encoding: "utf8" });
      expect(status).toBe(1);
      expect(stdout).toMatch(/^left burning: PID \d+ \(sh\)\n$/);
      expect(sleeper.exitCode).toBeNull();
    } finally {
      burner.kill("SIGTERM");
      sleeper.kill("SIGKILL");
    }
  });
});
