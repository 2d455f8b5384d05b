import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Follower } from "../src/discovery/follower.js";
import { parsePidList } from "../src/discovery/pid-file.js";
import type { Candidate } from "../src/discovery/source.js";

const pids = (...list: number[]): Candidate[] => list.map((pid) => ({ pid }));

describe("Follower", () => {
  test("new ones appear, missing ones vanish, others are left alone", () => {
    const follower = new Follower();
    expect(follower.follow(pids(1, 2, 3))).toEqual({ appeared: pids(1, 2, 3), vanished: [] });
    expect(follower.follow(pids(1, 2, 3))).toEqual({ appeared: [], vanished: [] });
    expect(follower.follow(pids(2, 3, 4))).toEqual({ appeared: pids(4), vanished: [1] });
    expect(follower.follow([])).toEqual({ appeared: [], vanished: [2, 3, 4] });
  });

  test("one that vanished may appear again", () => {
    const follower = new Follower();
    follower.follow(pids(1));
    follower.follow([]);
    expect(follower.follow(pids(1)).appeared).toEqual(pids(1));
  });

  test("another process with the same PID is another process", () => {
    const follower = new Follower();
    const before = { pid: 1, inode: 10n, startTime: 5 };
    const after = { pid: 1, inode: 11n, startTime: 5 };
    follower.follow([before]);
    expect(follower.follow([after])).toEqual({ appeared: [after], vanished: [1] });
    expect(follower.follow([after])).toEqual({ appeared: [], vanished: [] });
  });

  test("what only one side knows does not tell processes apart", () => {
    const follower = new Follower();
    follower.follow([{ pid: 1, inode: 10n }]);
    expect(follower.follow([{ pid: 1, startTime: 7 }])).toEqual({ appeared: [], vanished: [] });
  });

  test("a PID listed twice counts once", () => {
    expect(new Follower().follow(pids(1, 1)).appeared).toEqual(pids(1));
  });

  test("one that is offered again appears once more, while it is listed", () => {
    const follower = new Follower();
    follower.follow(pids(1, 2));
    follower.offerAgain(1);
    expect(follower.follow(pids(1, 2))).toEqual({ appeared: pids(1), vanished: [] });
    expect(follower.follow(pids(1, 2)).appeared).toEqual([]);
    follower.offerAgain(1);
    expect(follower.follow(pids(2))).toEqual({ appeared: [], vanished: [1] });
    expect(follower.follow(pids(1, 2)).appeared).toEqual(pids(1));
  });

  test("applying all changes leads to the list, whatever it was before", () => {
    const list = fc.uniqueArray(fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(fc.array(list), (lists) => {
        const follower = new Follower();
        const followed = new Set<number>();
        for (const current of lists) {
          const { appeared, vanished } = follower.follow(pids(...current));
          for (const pid of vanished) expect(followed.delete(pid)).toBe(true);
          for (const { pid } of appeared) followed.add(pid);
          expect(followed).toEqual(new Set(current));
        }
      }),
    );
  });
});

describe("parsePidList", () => {
  test("a PID a line; blank lines, spaces and repetitions do no harm", () => {
    expect(parsePidList("12\n 7\t\r\n\n12\n4194304")).toEqual(pids(12, 7, 4194304));
    expect(parsePidList("")).toEqual([]);
  });

  test.each(["abc", "0", "-5", "1.5", "12 13", "99999999", "0x10", "１２"])("%j is refused with its line number", (line) => {
    expect(() => parsePidList(`1\n\n${line}\n2`)).toThrow(/^line 3 is not a PID: /);
  });

  test("a long line is not repeated in full", () => {
    expect(() => parsePidList("x".repeat(1e6))).toThrow(/^.{1,80}$/);
  });
});
