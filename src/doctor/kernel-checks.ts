/** What the kernel tells about itself in files. */
import { type Check, lacking, present, scarce } from "./check.js";
import type { HostFiles } from "./host-files.js";
import { readMounts } from "./mounts.js";

export function kernelChecks(files: HostFiles): Check[] {
  return [checkKernel(files), checkProc(files), checkRealtimeThrottling(files), checkPressure(files)];
}

function checkKernel(files: HostFiles): Check {
  const release = files.read("proc/sys/kernel/osrelease") ?? "of unknown release";
  return present("kernel", `Linux ${release}`);
}

function checkProc(files: HostFiles): Check {
  const name = "other users' processes";
  const proc = readMounts(files).find(({ path, type }) => path === "/proc" && type === "proc");
  if (proc === undefined) {
    return lacking(name, "/proc is not mounted", {
      cost: "processes cannot be told apart",
      remedy: "mount -t proc proc /proc",
      essential: true,
    });
  }
  const hidepid = [...proc.options].find((option) => option.startsWith("hidepid="));
  // The option binds neither root nor the group that is let in: PID 1 tells whether it binds us.
  if (hidepid === undefined || files.read("proc/1/stat") !== undefined) return present(name, "visible in /proc");
  return lacking(name, `hidden by ${hidepid}`, {
    cost: "only processes of one's own can be found and hobbled",
    remedy: "run as root or in the group that /proc is mounted with (gid=), or mount -o remount,hidepid=0 /proc",
  });
}

function checkRealtimeThrottling(files: HostFiles): Check {
  const name = "real-time share";
  const runtimeUs = files.number("proc/sys/kernel/sched_rt_runtime_us");
  const periodUs = files.number("proc/sys/kernel/sched_rt_period_us");
  if (runtimeUs === undefined || periodUs === undefined || runtimeUs < 0) return present(name, "real-time threads are not limited");
  const share = runtimeUs / periodUs;
  const found = `real-time threads may use ${Math.round(share * 100)} % of a CPU`;
  if (share >= enoughShare) return present(name, found);
  const lack = {
    cost: share === 0 ? "no SCHED_FIFO at all" : "the kernel holds the timer thread back once it has used that much",
    remedy: "sysctl kernel.sched_rt_runtime_us=950000",
  };
  return share === 0 ? lacking(name, found, lack) : scarce(name, found, lack);
}

/** What the engine allows itself by default (`maxShare`). */
const enoughShare = 0.8;

function checkPressure(files: HostFiles): Check {
  const name = "pressure (PSI)";
  const some = files.lines("proc/pressure/cpu").find((line) => line.startsWith("some"));
  if (some !== undefined) return present(name, `cpu ${some}`);
  return lacking(name, "/proc/pressure/cpu cannot be read", {
    cost: "how long processes wait for a CPU cannot be seen",
    remedy: "psi=1 on the kernel's command line (needs CONFIG_PSI)",
  });
}
