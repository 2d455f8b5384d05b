import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { keysOf, press } from "../src/top/keys.js";
import { follow, type Headline, rowsOf, screen, timeline, type ViewSettings } from "../src/top/view.js";
import { cliPath } from "./helpers/cli.js";
import { startControl } from "./helpers/control.js";
import { madeUpTarget } from "./helpers/fake-supervisor.js";
import { until } from "./helpers/processes.js";

const now = 1_700_000_090_000;
const settings = (changes: Partial<ViewSettings> = {}): ViewSettings => ({
  sort: "cpu",
  reverse: false,
  filter: "",
  tree: false,
  chosen: 0,
  scroll: 0,
  typing: undefined,
  help: false,
  ...changes,
});
const headline: Headline = { version: "1.0.0", off: false, targets: 4, engine: null, problem: undefined };
const targets = [
  madeUpTarget({ pid: 40, cpu: 0.5, name: "make", user: "bob", by: "builds" }),
  madeUpTarget({ pid: 41, parentPid: 40, cpu: 0.9, name: "cc1plus", user: "bob", by: "builds" }),
  madeUpTarget({ pid: 7, cpu: 0.1, limit: 0.05, runNs: null, stopNs: null, pool: "tarpit", dutyAsked: null, dutyAchieved: null }),
  madeUpTarget({ pid: 8, cpu: null, name: "nam\u001b[2Je" }),
];
const pids = (view: ViewSettings) => rowsOf(targets, view).map(({ target }) => target.pid);

describe("what is shown", () => {
  test("rows in the order that is asked for", () => {
    expect(pids(settings())).toEqual([41, 40, 7, 8]);
    expect(pids(settings({ reverse: true }))).toEqual([8, 7, 40, 41]);
    expect(pids(settings({ sort: "pid" }))).toEqual([7, 8, 40, 41]);
    expect(pids(settings({ filter: "BUILDS" }))).toEqual([41, 40]);
    expect(pids(settings({ sort: "pid", tree: true }))).toEqual([7, 8, 40, 41]);
    expect(rowsOf(targets, settings({ tree: true })).map(({ depth }) => depth)).toEqual([0, 1, 0, 0]);
  });

  test.each([
    [80, 24],
    [200, 60],
  ])("a screen of %i columns and %i lines", (width, height) => {
    const view = settings();
    const lines = screen(rowsOf(targets, view), view, headline, width, height, now);
    expect(lines).toHaveLength(height);
    expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(width);
    expect(lines.map(({ text }) => text.trimEnd()).join("\n")).toMatchSnapshot();
  });

  test("no control character of a program's name reaches the terminal", () => {
    const view = settings({ filter: "nam" });
    const text = screen(rowsOf(targets, view), view, headline, 80, 24, now).map((line) => line.text);
    expect(text.join("")).toContain("nam?[2Je");
  });

  test("only what is visible is formatted: of 10,000 rows the chosen one stays in sight", () => {
    const many = Array.from({ length: 10_000 }, (_, at) => madeUpTarget({ pid: at + 1 }));
    const view = settings({ sort: "pid" });
    const rows = rowsOf(many, view);
    for (const key of ["G", "\u001b[A"]) press(key, view, rows.length, 24);
    follow(view, rows.length, 24);
    const lines = screen(rows, view, headline, 80, 24, now);
    expect(lines.find(({ style }) => style === "chosen")?.text).toMatch(/^ +9999 /);
    expect(view.scroll).toBe(9998 - 19);
  });

  test("keys: sorting twice reverses, a filter is typed, q and Ctrl-C quit", () => {
    const view = settings();
    expect(keysOf("c/ab\u007f\r\u001b[6~q")).toEqual(["c", "/", "a", "b", "\u007f", "\r", "\u001b[6~", "q"]);
    for (const key of keysOf("ccuu/xq\u007f\r")) expect(press(key, view, 4, 24)).toBe(true);
    expect(view).toMatchObject({ sort: "user", reverse: true, filter: "x", typing: undefined });
    expect(press("\u001b", view, 4, 24)).toBe(true);
    expect(view.filter).toBe("");
    expect(press("q", view, 4, 24)).toBe(false);
    expect(press("\u0003", settings({ typing: "" }), 4, 24)).toBe(false);
  });

  test("the timeline shows the part of a period that it runs", () => {
    expect(timeline(madeUpTarget({ pid: 1, runNs: 1, stopNs: 1, dutyAchieved: 0.5 }))).toBe("##########..........");
    expect(timeline(madeUpTarget({ pid: 1, dutyAchieved: 0.0001 }))).toBe(`#${".".repeat(19)}`);
  });
});

describe("on a terminal", () => {
  const session = `hobble-top-${process.pid}`;
  const tmux = (...args: string[]) => execFileSync("tmux", ["-L", session, "-f", "/dev/null", ...args], { encoding: "utf8" });
  afterEach(() => {
    try {
      tmux("kill-server");
    } catch {
      // It has ended with its last window.
    }
  });

  test.each([
    [80, 24],
    [200, 60],
  ])("%i columns and %i lines: it shows, sorts, filters, and gives the terminal back", async (width, height) => {
    const control = await startControl(targets);
    const command = `${process.execPath} ${cliPath} top --every 100ms --socket ${control.path}; echo given back; exec sleep 100`;
    tmux("new-session", "-d", "-s", "top", "-x", String(width), "-y", String(height), command);
    const shown = () => tmux("capture-pane", "-p", "-t", "top");
    const row = (pid: number) =>
      shown()
        .split("\n")
        .findIndex((line) => line.trim().startsWith(`${pid} `));
    await until(() => row(8) > 0, "the targets are shown");
    expect(shown()).toMatch(/hobble 0\.0\.0 {2}on {2}4 targets/);
    expect(shown()).toMatch(/PID USER +NAME +ASKED/);
    expect(row(41)).toBeLessThan(row(40));
    tmux("send-keys", "-t", "top", "p");
    await until(() => row(7) >= 0 && row(7) < row(41), "sorted by PID");
    tmux("send-keys", "-t", "top", "/");
    tmux("send-keys", "-t", "top", "builds", "Enter");
    await until(() => row(7) < 0 && row(40) > 0, "filtered");
    tmux("resize-window", "-t", "top", "-x", "100", "-y", "30");
    await until(() => /filter: builds/.test(shown().split("\n")[29] ?? ""), "the foot is in the last line");
    control.supervisor.put(madeUpTarget({ pid: 43, by: "builds" }));
    await until(() => row(43) > 0, "what is new is shown");
    tmux("send-keys", "-t", "top", "q");
    await until(() => /^given back$/m.test(shown()), "it has ended");
    expect(shown()).not.toContain("ASKED");
  });
});
