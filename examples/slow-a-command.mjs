// Runs a command at half speed, with all its children, and tells what became of it:
//   node examples/slow-a-command.mjs sleep 5
import { spawn } from "node:child_process";
import { Hobbler } from "hobble";

const [command = "sleep", ...args] = process.argv.slice(2);
const child = spawn(command, args.length > 0 ? args : ["3"], { stdio: "inherit" });
const hobbler = new Hobbler();
// The library installs no signal handlers: whoever can be interrupted resumes its targets first.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => hobbler.close().then(() => process.exit(0)));

child.on("error", ({ message }) => console.error(message));
if (child.pid !== undefined) hobbler.add({ tree: child.pid }, { run: "50ms", stop: "50ms" });
child.on("exit", async (code) => {
  const { dutyAchieved, lateness, cpuShare } = hobbler.stats();
  await hobbler.close();
  console.log(
    `exit code ${code}; duty ${dutyAchieved?.toFixed(3)}, lateness p99 ${lateness.p99Ns / 1e3} us, own CPU ${(cpuShare * 100).toFixed(2)} %`,
  );
});
