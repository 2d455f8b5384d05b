/** What the host grants this process: tried by the host addon. */
import type { HostProbe } from "../native-host.js";
import { type Check, lacking, present, scarce } from "./check.js";

/** Descriptors that Node and the engine need for themselves. */
const ownDescriptors = 64;
/** Fewer than this is little for a host with thousands of processes. */
const ampleOpenFiles = 8192;

const limitsFile = "/etc/security/limits.d/hobble.conf";

export function probeChecks(probe: HostProbe): Check[] {
  return [
    check("real-time scheduling", probe.fifo && `${probe.fifo} (RLIMIT_RTPRIO is ${probe.rtprioLimit})`, "SCHED_FIFO", {
      cost: "the timer thread competes with its targets: at most one busy target for each CPU but one runs at a time, p99 lateness is 4 ms instead of 0.1 ms",
      remedy: `LimitRTPRIO=50 in the unit file, or "USER - rtprio 50" in ${limitsFile}, or CAP_SYS_NICE; with cgroup v1 also a cpu.rt_runtime_us above 0`,
    }),
    check("short time slice", probe.shortSlice, "100 us without any privilege", {
      cost: "without real-time scheduling the p90 of lateness is 0.4 ms instead of 0.1 ms",
      remedy: "Linux 6.12 or later",
    }),
    check("pidfd", probe.pidfdOpen || probe.pidfdSendSignal, "processes are held and signalled by pidfd", {
      cost: "kill(2) after a look at the start time: a PID that changes hands in between is signalled in error",
      remedy: "Linux 5.3 or later; in a container, a seccomp profile that allows pidfd_open and pidfd_send_signal",
    }),
    check("identity", probe.pidfdInode, "unique inodes of pidfds", {
      cost: "processes are told apart by start times in steps of 10 ms: a PID reused within one step is not noticed",
      remedy: "Linux 6.9 or later",
    }),
    check("locked memory", probe.lockMemory, `1 MiB locked, limit ${formatBytes(probe.memlockLimit)}`, {
      cost: "a page fault can make signals late when memory is short",
      remedy: `LimitMEMLOCK=64M in the unit file, or "USER - memlock 65536" in ${limitsFile}, or CAP_IPC_LOCK`,
    }),
    checkOpenFiles(probe),
    check("children files", probe.procChildren, "/proc/PID/task/TID/children", {
      cost: "a tree is followed by reading all of /proc, 25 us for each process of the host",
      remedy: "a kernel with CONFIG_PROC_CHILDREN",
    }),
    check("process events", probe.processEvents, "the kernel tells of forks and exits", {
      cost: "new members of a tree are looked for, and found up to 250 ms late",
      remedy:
        "CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in the unit file), the host's network namespace, a kernel with CONFIG_PROC_EVENTS",
    }),
  ];
}

function check(name: string, failure: string, found: string, lack: { cost: string; remedy: string }): Check {
  return failure === "" ? present(name, found) : lacking(name, failure, lack);
}

function checkOpenFiles({ openFilesHard }: HostProbe): Check {
  const name = "open files";
  if (openFilesHard < 0) return present(name, "unlimited");
  const fit = Math.max(0, openFilesHard - ownDescriptors).toLocaleString("en");
  const found = `hard limit ${openFilesHard.toLocaleString("en")}: room for ${fit} processes`;
  if (openFilesHard >= ampleOpenFiles) return present(name, found);
  return scarce(name, found, {
    cost: "each process that is hobbled takes one descriptor; more are refused with EMFILE",
    remedy: `LimitNOFILE=262144 in the unit file, or "USER hard nofile 262144" in ${limitsFile}`,
  });
}

function formatBytes(bytes: number): string {
  return bytes < 0 ? "none" : `${(bytes / 2 ** 20).toLocaleString("en", { maximumFractionDigits: 2 })} MiB`;
}
