/** Each condition by itself: what it matches, what it does not, and what is said of the difference. */
import { describe, expect, test } from "vitest";
import { containerOf } from "../src/rules/conditions.js";
import { type MadeUp, MadeUpHost, madeUp } from "./helpers/made-up.js";

const id = "0123456789abcdef".repeat(4);

interface Case {
  match: string;
  yes?: Partial<MadeUp>[];
  no?: Partial<MadeUp>[];
  /** What is said of the last of `no`. */
  found?: string;
}

const cases: Case[] = [
  { match: 'user = "student1"', yes: [{}], no: [{ user: "student10" }, { user: "" }, { user: "root" }], found: 'it is "root"' },
  { match: 'user = "student*"', yes: [{}, { user: "student" }], no: [{ user: "a-student" }] },
  { match: 'user = ["a", "student?"]', yes: [{}, { user: "a" }], no: [{ user: "student12" }] },
  { match: 'user = "*"', yes: [{}], no: [] },
  { match: "uid = 1001", yes: [{}], no: [{ uid: 1002 }], found: "it is 1002" },
  { match: 'uid = "1000-1999"', yes: [{}, { uid: 1000 }, { uid: 1999 }], no: [{ uid: 999 }, { uid: 2000 }, { uid: -1 }] },
  { match: 'uid = ["5-6", 1001, "9000-"]', yes: [{}, { uid: 5 }, { uid: 9001 }], no: [{ uid: 7 }] },
  { match: 'group = "students"', yes: [{}, { groups: "x,students" }], no: [{ groups: "student" }, { groups: "" }] },
  { match: 'group = "vid*"', yes: [{}], no: [{ groups: "users,audio" }], found: "its groups are users,audio" },
  {
    match: 'executable = "/usr/bin/*"',
    yes: [{}],
    no: [{ executable: "/usr/local/bin/x" }, { executable: "" }],
    found: "its executable is not known (not permitted to read it)",
  },
  {
    match: 'executable = "/home/*/bin/*"',
    yes: [{ executable: "/home/a/bin/x" }, { executable: "/home/a/b/bin/c/d" }],
    no: [{}, { executable: "/home/bin/x" }],
  },
  { match: 'name = "python*"', yes: [{}], no: [{ name: "perl" }] },
  { match: 'name = "a\\\\*b"', yes: [{ name: "a*b" }], no: [{ name: "axb" }] },
  { match: "command = '^python3 '", yes: [{}], no: [{ commandLine: "/usr/bin/python3 x" }], found: 'it is "/usr/bin/python3 x"' },
  { match: "command = 'loop.py'", yes: [{}], no: [{ commandLine: "python3 lop.py" }] },
  { match: "command = '--(fast|slow)$'", yes: [{}, { commandLine: "x --slow" }], no: [{ commandLine: "x --slow y" }] },
  { match: "command = ['^java', 'loop\\.py']", yes: [{}, { commandLine: "java -jar x" }], no: [{ commandLine: "ruby x" }] },
  { match: "command = '(a+)+$'", yes: [{ commandLine: "aaaa" }], no: [{ commandLine: `${"a".repeat(4000)}b` }] },
  { match: 'cgroup = "/user.slice/user-1001.slice/*"', yes: [{}], no: [{ cgroup: "/system.slice/x" }] },
  { match: `container = "${id.slice(0, 12)}"`, yes: [{ cgroup: `/docker/${id}` }], no: [{}], found: "it is in no container" },
  { match: `container = "${id}"`, yes: [{ cgroup: `/system.slice/docker-${id}.scope` }], no: [{ cgroup: `/docker/${"f".repeat(64)}` }] },
  {
    match: 'container = "web*"',
    yes: [{ cgroup: "/lxc.payload.web1/init.scope" }],
    no: [{ cgroup: "/lxc.payload.db/x" }],
    found: "it is in db",
  },
  { match: 'session = "90-110"', yes: [{}], no: [{ session: 7 }] },
  { match: "niceAbove = 4", yes: [{ nice: 5 }], no: [{}, { nice: 4 }], found: "its nice value is 4" },
  { match: "niceBelow = 0", yes: [{ nice: -1 }], no: [{}] },
  { match: "threadsAbove = 100", yes: [{ threads: 101 }], no: [{}, { threads: 100 }], found: "it has 100" },
  { match: 'memoryAbove = "500MB"', yes: [{ residentBytes: 501e6 }], no: [{}], found: "it uses 100 MB" },
  { match: 'memoryAbove = "1GiB"', yes: [{ residentBytes: 1.1e9 }], no: [{ residentBytes: 1.05e9 }] },
  { match: "cpuSecondsAbove = 60", yes: [{ cpuNs: 61e9 }], no: [{ cpuNs: 59e9 }], found: "it has used 59 s" },
  { match: 'olderThan = "10m"', yes: [{}], no: [{ startTime: 359_000 }], found: "it is 10 s old" },
  { match: 'youngerThan = "10m"', yes: [{ startTime: 359_000 }], no: [{}], found: "it is 60 min old" },
  { match: 'parent = "sshd"', yes: [{ parentPid: 50 }], no: [{}, { parentPid: 60 }], found: 'it is "bash"' },
  { match: 'parent = "/usr/sbin/*"', yes: [{ parentPid: 50 }], no: [{ parentPid: 60 }] },
  {
    match: 'ancestor = "sshd"',
    yes: [{ parentPid: 50 }, { parentPid: 60 }],
    no: [{ parentPid: 999 }],
    found: "it has none that may be seen",
  },
  { match: 'cgroupProcs = "/list"', yes: [{ pid: 77 }], no: [{}], found: "it is not on the list" },
  { match: 'pidFile = "/absent"', yes: [], no: [{}], found: "the list could not be read" },
  { match: 'user = "student*", name = "python3"', yes: [{}], no: [{ name: "x" }, { user: "x" }], found: 'it is "x"' },
  {
    match: 'any = [{ user = "a" }, { name = "python3" }]',
    yes: [{}, { user: "a", name: "x" }],
    no: [{ name: "x" }],
    found: 'it is "student1"; it is "x"',
  },
  { match: 'all = [{ user = "student*" }, { user = "*1" }]', yes: [{}], no: [{ user: "student2" }, { user: "x1" }] },
  { match: 'not = { user = "root" }', yes: [{}], no: [{ user: "root" }], found: 'it is so: user "root"' },
  { match: 'user = "student*", not = { any = [{ name = "sh" }, { niceAbove = 0 }] }', yes: [{}], no: [{ name: "sh" }, { nice: 1 }] },
  { match: 'not = { not = { user = "student1" } }', yes: [{}], no: [{ user: "x" }] },
  { match: 'any = [{ cpuAbove = "50%" }, { memoryAbove = "50MB" }]', yes: [{}], no: [{ residentBytes: 1 }] },
];

function host(match: string, changes: Partial<MadeUp>): { host: MadeUpHost; pid: number } {
  const process = madeUp(changes);
  const sshd = madeUp({ pid: 50, name: "sshd", executable: "/usr/sbin/sshd", parentPid: 1, user: "root" });
  const bash = madeUp({ pid: 60, name: "bash", parentPid: 50, user: "root" });
  const toml = `[[rule]]\nname = "r"\nmatch = { ${match} }\nhobble = { limit = "5%" }\n`;
  const host = new MadeUpHost(toml, sshd, bash, process);
  host.lists.set("/list", new Set([77]));
  return { host, pid: process.pid };
}

describe.each(cases)("$match", ({ match, yes = [], no = [], found }) => {
  test.each(yes)("matches %j", (changes) => {
    const { host: made, pid } = host(match, changes);
    expect(made.scan().wanted[pid]).toBe("r");
  });

  test.each(no)("does not match %j", (changes) => {
    const { host: made, pid } = host(match, changes);
    expect(made.scan().wanted[pid]).toBeUndefined();
    const process = made.processes.get(pid);
    const [trial] = process === undefined ? [] : made.engine.explain(process, made.world(), (ns) => ns);
    expect(trial?.outcome).toBe("failed");
    if (found !== undefined && changes === no.at(-1)) expect(trial?.condition).toContain(`: ${found}`);
  });
});

test.each([
  ["/docker/ID", id],
  ["/system.slice/docker-ID.scope", id],
  ["/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", id],
  ["/machine.slice/libpod-ID.scope/container", id],
  ["/lxc/web/x", "web"],
  ["/lxc.payload.web", "web"],
  ["/machine.slice/machine-box.scope", "box"],
  ["/machine.slice/systemd-nspawn@box.service/payload", "box"],
  ["/user.slice/user-1000.slice", undefined],
  ["/", undefined],
])("the container of cgroup %s", (cgroup, container) => {
  expect(containerOf(cgroup.replace("ID", id))).toBe(container);
});
