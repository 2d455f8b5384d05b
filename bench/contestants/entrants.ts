/** Everybody who may take part in the suite, and why somebody cannot on this host. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { repository } from "../native-programs.js";
import { mountOf } from "../suite/groups.js";
import type { Contestant } from "./contestant.js";
import type { HobbleOptions } from "./messages.js";

/** What a contestant does to its targets, and so by whom it can be observed. */
export type Means = "signals" | "freezing" | "quota" | "nothing";

export interface Entrant extends Contestant {
  id: string;
  about: string;
  means: Means;
  /** Follows the children of its targets. */
  trees: boolean;
  /** It starts a program for each target, and these are who hobbles. */
  programEach?: boolean;
  /** Most targets for which it makes sense: one that starts a program for each takes no more. */
  most: number;
  /** Why it cannot take part here. */
  missing: string | undefined;
}

const peers = `${repository}/bench/peers`;
const nodeProgram = (path: string) => [process.execPath, `${repository}/build-bench/${path}`] as const;

/** Debian's modules belong to Debian's interpreter, which need not be the first on the path. */
const pythons = ["python3", "/usr/bin/python3"];

/** The interpreter itself: what the path finds may be a shell script that looks for it, which would be counted as the contestant's start. */
function findPythonWith(module: string): string | undefined {
  for (const python of pythons) {
    const { status, stdout } = spawnSync(python, ["-c", `import sys, ${module}; print(sys.executable)`], { encoding: "utf8" });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

/** By module: a search takes 0.4 s where the path has such a script. */
const found = new Map<string, string | undefined>();

function pythonWith(module: string): string | undefined {
  if (!found.has(module)) found.set(module, findPythonWith(module));
  return found.get(module);
}

function onPath(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

const many = Number.POSITIVE_INFINITY;

function hobble(id: string, name: string, about: string, options: HobbleOptions): Entrant {
  const [command, program] = nodeProgram("contestants/hobble-process.js");
  return { id, name, about, command, args: [program], options, means: "signals", trees: true, most: many, missing: undefined };
}

function python(
  id: string,
  name: string,
  about: string,
  args: readonly string[],
  more: Partial<Entrant> & { module?: string } = {},
): Entrant {
  const { module = "json", ...rest } = more;
  const command = pythonWith(module);
  const missing = command === undefined ? `python3 with ${module} is not installed` : rest.missing;
  const [file = "", ...others] = args;
  return {
    id,
    name,
    about,
    command: command ?? "python3",
    args: [`${peers}/${file}`, ...others],
    means: "signals",
    trees: true,
    most: many,
    ...rest,
    missing,
  };
}

/** Version 1 or 2 of a controller; the kernel binds each controller to one of them. */
function cgroup(kind: "quota" | "together" | "freezer", version: 1 | 2, about: string): Entrant {
  const controller = kind === "freezer" ? "freezer" : "cpu";
  const name = { quota: "CPU quota", together: "one CPU quota", freezer: "freezer" }[kind];
  const mount = mountOf(version === 2 ? "cgroup2" : controller);
  return python(`${kind}-v${version}`, `${name} v${version}`, about, ["cgroup_each.py", kind, String(version), mount ?? ""], {
    means: kind === "freezer" ? "freezing" : "quota",
    most: 200,
    missing: missingCgroup(kind, version, mount),
    ...(kind === "together" && { as: "pool" as const }),
  });
}

function missingCgroup(kind: string, version: 1 | 2, mount: string | undefined): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (mount === undefined) return `cgroup v${version} has no ${kind} here: not mounted`;
  if (version === 1 || kind === "freezer") return undefined;
  const controllers = existsSync(`${mount}/cgroup.controllers`)
    ? readFileSync(`${mount}/cgroup.controllers`, "utf8").trim().split(" ")
    : [];
  if (!controllers.includes("cpu")) return "the cpu controller is bound to cgroup v1 here";
  const enabled = readFileSync(`${mount}/cgroup.subtree_control`, "utf8").trim().split(" ");
  return enabled.includes("cpu") ? undefined : "the cpu controller is not enabled below the root of cgroup v2";
}

/** Everybody but hobble in its other precisions, which are the same code and differ by microseconds. */
export function inUsualPrecision({ options }: Entrant): boolean {
  return options?.precision === undefined;
}

export function allEntrants(): Entrant[] {
  const [node, timers] = nodeProgram("peers/node-timers.js");
  const needs = (program: string) => (onPath(program) ? {} : { missing: `${program} is not installed` });
  return [
    hobble("hobble", "hobble", "the library with default options (balanced)", {}),
    hobble("hobble-tight", "hobble tight", "precision: tight", { precision: "tight" }),
    hobble("hobble-economy", "hobble economy", "precision: economy", { precision: "economy" }),
    {
      ...hobble("hobble-limit", "hobble limit", "the library, with a limit of CPU time instead of a cycle", {}),
      as: "limit",
    },
    { ...hobble("hobble-pool", "hobble pool", "the library, all targets in a pool that shares one limit", {}), as: "pool" },
    {
      ...hobble("hobble-freeze", "hobble freeze", "the library, each target frozen in a cgroup made for it", {}),
      via: "freeze",
      means: "freezing",
      most: 200,
      missing: missingCgroup("freezer", 2, mountOf("cgroup2")),
    },
    python("asyncio", "asyncio", "Python: one coroutine for each process", ["asyncio_loop.py"]),
    python("gevent", "gevent", "Python: one greenlet for each process", ["gevent_loop.py"], { module: "gevent" }),
    python("threads", "threads", "Python: one thread for each process", ["threads_loop.py"]),
    python("batched", "batched loop", "Python: stop all, sleep, resume all, sleep", ["batched_loop.py"]),
    {
      id: "node-timers",
      name: "Node timers",
      about: "JavaScript: two timers for each process",
      command: node,
      args: [timers],
      means: "signals",
      trees: false,
      most: many,
      missing: undefined,
    },
    python("cpulimit", "cpulimit", "Debian's cpulimit, one for each process", ["program_each.py", "cpulimit"], {
      most: 20,
      programEach: true,
      as: "limit",
      // Its option -m, which follows children, starts copies of itself without end.
      trees: false,
      ...needs("cpulimit"),
    }),
    python("shell", "shell loop", "sh, kill and sleep, one loop for each process", ["program_each.py", "shell"], {
      most: 100,
      programEach: true,
      trees: false,
    }),
    cgroup("freezer", 1, "freezing a cgroup for each process, by a coroutine each"),
    cgroup("freezer", 2, "freezing a cgroup for each process, by a coroutine each"),
    cgroup("quota", 1, "the kernel's CPU quota, a cgroup for each process"),
    cgroup("quota", 2, "the kernel's CPU quota, a cgroup for each process"),
    cgroup("together", 1, "the kernel's CPU quota, one cgroup for all"),
    cgroup("together", 2, "the kernel's CPU quota, one cgroup for all"),
    python("nothing", "nothing", "the targets run freely", ["nothing.py"], { means: "nothing" }),
  ];
}
