import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkCgroup } from "../src/doctor/cgroup-check.js";
import { type Check, usable } from "../src/doctor/check.js";
import { formatChecks } from "../src/doctor/format.js";
import { HostFiles } from "../src/doctor/host-files.js";
import { kernelChecks } from "../src/doctor/kernel-checks.js";
import { probeChecks } from "../src/doctor/probe-checks.js";
import { checkGuardian, checkRuntimeDirectory } from "../src/doctor/safety-checks.js";
import type { HostProbe } from "../src/native-host.js";
import { cliPath, run } from "./helpers/cli.js";
import { hobbleWords, result } from "./helpers/exec.js";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** A made-up root directory. */
function fakeHost(files: Record<string, string>): HostFiles {
  const root = mkdtempSync(join(tmpdir(), "hobble-doctor-"));
  roots.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return new HostFiles(root);
}

const found = (checks: readonly Check[], name: string) => checks.find((check) => check.name === name);

const granted: HostProbe = {
  fifo: "",
  shortSlice: "",
  pidfdOpen: "",
  pidfdSendSignal: "",
  pidfdInode: "",
  lockMemory: "",
  processEvents: "",
  procChildren: "",
  memlockLimit: -1,
  openFilesHard: 524288,
  rtprioLimit: 0,
};

test("it says that hobble works here, and asks about everything", async () => {
  const { exit, stdout } = await result([...hobbleWords, "doctor", "--json"]);
  expect(exit).toBe(0);
  const { usable: works, checks } = JSON.parse(stdout) as { usable: boolean; checks: Check[] };
  expect(works).toBe(true);
  expect(checks.map(({ name }) => name)).toEqual([
    "engine",
    "runtime directory",
    "guardian",
    "kernel",
    "other users' processes",
    "real-time share",
    "pressure (PSI)",
    "real-time scheduling",
    "short time slice",
    "pidfd",
    "identity",
    "locked memory",
    "open files",
    "children files",
    "process events",
    "cgroup freezing",
  ]);
  for (const check of checks) expect("remedy" in check, check.name).toBe(check.verdict !== "yes");
});

test("it prints plain text where there is no terminal", async () => {
  const { exit, stdout } = await result([...hobbleWords, "doctor"]);
  expect(exit).toBe(0);
  expect(stdout).not.toContain("\u001b");
  expect(stdout).toMatch(/^(yes|partly|no) +kernel +Linux \d/m);
});

test.runIf(process.getuid?.() === 0)("it tells an ordinary user what is lacking", async () => {
  const user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all", "--"];
  const { exit, stdout } = await result(["prlimit", "--rtprio=0", "--nofile=256:256", "--", ...user, ...hobbleWords, "doctor"]);
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^no +real-time scheduling +\S.*\n +costs: .+\n +to get it: .*LimitRTPRIO/m);
  expect(stdout).toMatch(/^partly +open files +hard limit 256: room for 192 processes\n/m);
});

test("what is lacking is told with its cost and its remedy", () => {
  const checks = probeChecks({ ...granted, fifo: "Operation not permitted" });
  const lines = formatChecks(checks, false);
  const line = lines.findIndex((text) => text.startsWith("no "));
  expect(lines[line]).toMatch(/^no {6}real-time scheduling {2}Operation not permitted \(RLIMIT_RTPRIO is 0\)$/);
  expect(lines[line + 1]).toMatch(/^ +costs: /);
  expect(lines[line + 2]).toMatch(/^ +to get it: /);
  expect(lines.at(-1)).toBe("hobble works here, without all it could use (1 of 8).");
  expect(formatChecks(probeChecks(granted), false).at(-1)).toBe("hobble has all it can use here.");
});

test("colour is for terminals", () => {
  const plain = formatChecks(probeChecks(granted), false).join("");
  expect(plain).not.toContain("\u001b");
});

test("few open files are told as few targets", () => {
  const checks = probeChecks({ ...granted, openFilesHard: 1024 });
  expect(found(checks, "open files")).toMatchObject({ verdict: "partly", found: "hard limit 1,024: room for 960 processes" });
});

test("a host without /proc is no host for hobble", () => {
  const checks = kernelChecks(fakeHost({ "proc/self/mountinfo": "25 1 0:1 / / rw - ext4 /dev/vda rw\n" }));
  expect(usable(checks)).toBe(false);
});

test("hidepid matters to those whom it binds", () => {
  const mountinfo = "22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw,gid=4,hidepid=invisible\n";
  const hidden = kernelChecks(fakeHost({ "proc/self/mountinfo": mountinfo }));
  expect(found(hidden, "other users' processes")).toMatchObject({ verdict: "no", found: "hidden by hidepid=invisible" });
  const visible = kernelChecks(fakeHost({ "proc/self/mountinfo": mountinfo, "proc/1/stat": "1 (init) S 0" }));
  expect(found(visible, "other users' processes")).toMatchObject({ verdict: "yes" });
});

test.each([
  ["950000", "yes"],
  ["-1", "yes"],
  ["300000", "partly"],
  ["0", "no"],
])("real-time share: %s us of each second is %s", (runtimeUs, verdict) => {
  const files = fakeHost({ "proc/sys/kernel/sched_rt_runtime_us": `${runtimeUs}\n`, "proc/sys/kernel/sched_rt_period_us": "1000000\n" });
  expect(found(kernelChecks(files), "real-time share")).toMatchObject({ verdict });
});

test("no cgroup is mounted", () => {
  const files = fakeHost({ "proc/self/mountinfo": "22 27 0:21 / /proc rw - proc proc rw\n" });
  expect(checkCgroup(files)).toMatchObject({ verdict: "no", found: "no cgroup v2 and no v1 freezer is mounted" });
});

test("a group that cannot be frozen is told of, and is not left behind", () => {
  // Directories made here hold no cgroup.freeze, as in a cgroup that is none.
  const files = fakeHost({
    "proc/self/mountinfo": "41 31 0:38 / /sys/fs/cgroup/my\\040groups rw - cgroup2 cgroup2 rw\n",
    "proc/self/cgroup": "1:cpu:/other\n0::/mine\n",
    "sys/fs/cgroup/my groups/mine/cgroup.procs": "",
  });
  expect(checkCgroup(files)).toMatchObject({ verdict: "no", found: "/sys/fs/cgroup/my groups: cgroup.freeze is not writable (ENOENT)" });
  expect(readdirSync(files.path("sys/fs/cgroup/my groups/mine"))).toEqual(["cgroup.procs"]);
});

test("a runtime directory on a disk, and a missing guardian, are named with what they cost", () => {
  const mounts = ["1 0 0:1 / / rw - ext4 /dev/vda rw", "2 1 0:2 / /run rw - tmpfs tmpfs rw"].join("\n");
  const files = fakeHost({ "proc/self/mountinfo": mounts });
  expect(checkRuntimeDirectory(files, "/run/hobble")).toMatchObject({ verdict: "yes", found: "/run/hobble" });
  expect(checkRuntimeDirectory(files, "/runner")).toMatchObject({ verdict: "partly", found: "/runner is on ext4" });
  expect(checkGuardian(42, undefined).verdict).toBe("yes");
  expect(checkGuardian(undefined, "no such file")).toMatchObject({ verdict: "no", found: "no such file" });
});

test("output that cannot be written is told by the exit status", async () => {
  const command = await run(["sh", "-c", `'${process.execPath}' '${cliPath}' doctor --json >/dev/full`]);
  expect(await command.exit).toBe(1);
});
