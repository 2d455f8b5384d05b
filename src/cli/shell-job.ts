/**
 * Jobs of an interactive shell. When a job stops and the shell does not, the shell believes that the user pressed Ctrl-Z and takes the terminal
 * back. Hobbling the shell's tree stops both together.
 */
import { readFileSync } from "node:fs";

const shells = /^(ba|z|fi|da|k|mk|tc|c|a|)sh$|^busybox$/;

interface Job {
  name: string;
  parent: number;
  group: number;
  session: number;
  /** 0 = none. */
  terminal: number;
}

/** The shell that `pid` is a job of: a session leader with a terminal, whose child has a process group of its own. */
export function interactiveShellOf(pid: number): { pid: number; name: string } | undefined {
  const job = readJob(pid);
  const shell = job && readJob(job.parent);
  if (shell === undefined || job === undefined || !shells.test(shell.name)) return undefined;
  const leadsSession = shell.session === job.parent && shell.terminal !== 0;
  return leadsSession && job.session === shell.session && job.group !== shell.group ? { pid: job.parent, name: shell.name } : undefined;
}

function readJob(pid: number): Job | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // gone, or hidden from us
  }
  // The name may hold spaces and parentheses: fields are counted after the last ")". See proc_pid_stat(5).
  const nameEnd = stat.lastIndexOf(")");
  const [, parent, group, session, terminal] = stat.slice(nameEnd + 2).split(" ");
  const name = stat.slice(stat.indexOf("(") + 1, nameEnd);
  return { name, parent: Number(parent), group: Number(group), session: Number(session), terminal: Number(terminal) };
}
