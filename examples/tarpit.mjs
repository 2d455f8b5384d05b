// The tarpit: whoever is listed in a file (such as a cgroup.procs) runs 10 ms in every 260 ms; who is taken off the list runs freely again.
//   node examples/tarpit.mjs /sys/fs/cgroup/tarpit/cgroup.procs
import { readFileSync } from "node:fs";
import { Hobbler, identify } from "hobble";

const [file = "tarpit.pids"] = process.argv.slice(2);
const hobbler = new Hobbler().ref();
const targets = new Map();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => hobbler.close().then(() => process.exit(0)));
hobbler.on("exit", ({ target }) => targets.delete(target.pid));
hobbler.on("error", ({ target, error }) => console.error(`${target.pid}: ${error.code}: ${error.message}`));

function follow() {
  const listed = new Set(readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number));
  for (const [pid, target] of targets) {
    if (listed.has(pid)) continue;
    targets.delete(pid);
    target.release();
  }
  for (const pid of listed) {
    const seen = identify(pid); // with its start time and inode: a reused PID is refused
    if (seen !== undefined && !targets.has(pid)) targets.set(pid, hobbler.add(seen, { run: "10ms", stop: "250ms" }));
  }
}

follow();
setInterval(follow, 2000);
