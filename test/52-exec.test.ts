import { expect, test } from "vitest";
import { execWords, hobbleWords, quickCycle, result } from "./helpers/exec.js";

const exec = (command: readonly string[], input = "") => result(execWords(command), { input });
const script = (text: string, input = "") => exec(["sh", "-c", text], input);

test.each([
  ["true", 0],
  ["exit 42", 42],
  ["exit 255", 255],
])("exit code of: %s", async (text, code) => {
  expect(await script(text)).toEqual({ exit: code, stdout: "", stderr: "" });
});

test.each(["SIGTERM", "SIGKILL", "SIGSEGV", "SIGUSR1", "SIGPIPE"])("a command that %s ends", async (signal) => {
  expect(await script(`kill -${signal.slice(3)} $$`)).toMatchObject({ exit: signal });
});

test("a command that a real-time signal ends", async () => {
  // Node has no name for it; a shell tells the number.
  const words = execWords(["sh", "-c", "kill -40 $$"]).join("' '");
  expect(await result(["sh", "-c", `'${words}'; echo $?`])).toMatchObject({ stdout: "168\n" });
});

test.each([
  ["there is no such command", ["/nonexistent/command"], 127, "there is no command"],
  ["not in PATH", ["nonexistent-command"], 127, "there is no command"],
  ["not executable", ["/etc/passwd"], 126, "cannot be run (EACCES)"],
  ["a directory", ["/tmp"], 126, "cannot be run (EACCES)"],
])("%s", async (_, command, code, message) => {
  const ended = await result([...hobbleWords, "exec", ...quickCycle, "--", ...command]);
  expect(ended).toMatchObject({ exit: code, stdout: "" });
  expect(ended.stderr).toMatch(/^hobble: /);
  expect(ended.stderr).toContain(message);
});

test.each([
  ["no command", [...quickCycle, "--"]],
  ["no cycle", ["--", "touch", "/tmp/hobble-must-not-exist"]],
  ["a run that is too short", ["--run", "1us", "--stop", "10ms", "--", "touch", "/tmp/hobble-must-not-exist"]],
  ["a stop that is no duration", ["--run", "1ms", "--stop", "10 parsecs", "--", "touch", "/tmp/hobble-must-not-exist"]],
  ["an unknown precision", [...quickCycle, "--precision", "perfect", "--", "touch", "/tmp/hobble-must-not-exist"]],
])("usage: %s", async (_, words) => {
  const ended = await result([...hobbleWords, "exec", ...words]);
  expect(ended.exit).toBe(2);
  expect(ended.stderr).not.toBe("");
  expect(await result(["test", "-e", "/tmp/hobble-must-not-exist"])).toMatchObject({ exit: 1 });
});

test("standard input, output and error are the command's", async () => {
  expect(await script("tr a-z A-Z; echo error >&2", "hello\n")).toEqual({ exit: 0, stdout: "HELLO\n", stderr: "error\n" });
});

test("megabytes through a pipe arrive whole", async () => {
  // A pipe that somebody made non-blocking loses some.
  const text = execWords(["cat"]).join("' '");
  expect(await result(["sh", "-c", `head -c 20000000 /dev/zero | '${text}' | wc -c`])).toMatchObject({ stdout: "20000000\n", stderr: "" });
});

test("a closed reader ends the command", async () => {
  const text = execWords(["yes"]).join("' '");
  expect(await result(["bash", "-c", `'${text}' | head -1; echo \${PIPESTATUS[0]}`])).toMatchObject({ stdout: "y\n141\n" });
});

/** What a command sees of what it inherits, started by hobble and without. */
async function compare(look: string, around = (words: string) => words): Promise<void> {
  const direct = await result(["bash", "-c", around(`sh -c '${look}'`)]);
  const hobbled = await result(["bash", "-c", around(`${hobbleWords.join(" ")} exec ${quickCycle.join(" ")} -- sh -c '${look}'`)]);
  expect(direct.stdout).not.toBe("");
  expect(hobbled).toEqual(direct);
}

test("the soft limit on open files", () => compare("ulimit -Sn; ulimit -Hn", (words) => `ulimit -Sn 200; ${words}; true`));

test("open descriptors", () =>
  compare(
    'for fd in /proc/self/fd/*; do test -e $fd && echo "$(basename $fd)"; done',
    (words) => `exec 3</etc/passwd 5>/dev/null 7</dev/null 77</etc/group; ${words}; true`,
  ));

test("descriptors that are pipes", () =>
  compare("read line <&9; echo $line", (words) => `exec 8> >(cat) 9< <(echo hello); ${words}; true`));

test("ignored and blocked signals", () => compare("grep -E ^Sig.{3}: /proc/self/status | grep -v SigQ"));

test("the process group, the session, the working directory, the environment, the umask and the priority", () =>
  compare(
    "ps -o pgid=,sid=,nice= $$ | tr -s [:space:]; pwd; env | grep -v ^_= | sort; umask",
    (words) => `cd /usr/share; export FOO=$'\\xff'; umask 0027; set -m; nice -n 3 ${words} | sed s/[0-9][0-9][0-9]*/N/; true`,
  ));

test("arguments that are not UTF-8", async () => {
  const words = execWords(["printf", "%s"]).join("' '");
  const { stdout } = await result(["bash", "-c", `'${words}' $'a\\xff\\xfeb' | od -An -tx1`]);
  expect(stdout.trim()).toBe("61 ff fe 62");
});

test("arguments that look like options of hobble, or like the end of options", async () => {
  expect(await exec(["printf", "<%s>", "--run", "--", "", "-x"])).toMatchObject({ stdout: "<--run><--><><-x>" });
});
