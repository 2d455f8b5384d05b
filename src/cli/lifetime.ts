/** What signals from the terminal and the system mean to a command that hobbles. The library installs no handlers; this is where they are. */
import { readFileSync } from "node:fs";
import os from "node:os";
import type { Hobbler } from "../hobbler.js";
import { host } from "../native-host.js";

/** Resolves at the first signal that asks us to end. The handlers stay: a second Ctrl-C must not end us before everything runs again. */
export function endSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, resolve);
  });
}

/** Ctrl-Z: everything runs before we stop, and is hobbled again when we go on. */
export function pauseWhenStopped(hobbler: Hobbler): void {
  // A write to a terminal that wants us to stop (SIGTTOU) is tried, and the signal sent, over and over until we stop: once is enough. Those that
  // came before are told in one turn of the event loop after we were continued.
  let stale = false;
  for (const signal of ["SIGTSTP", "SIGTTIN", "SIGTTOU"] as const) {
    process.on(signal, () => {
      if (signal !== "SIGTSTP" && (stale || inForeground())) return;
      hobbler.pause();
      // Not with SIGTTOU: while its default action is in force the thread that writes would stop us too, and we ourselves again when continued.
      host().stopSelf(os.constants.signals.SIGTSTP);
      hobbler.resume();
      stale = true;
      setImmediate(() => {
        stale = false;
      });
    });
  }
}

/** proc_pid_stat(5): the fields pgrp and tpgid, counted from the end of the name, which may hold anything. */
function inForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[2] === fields[5];
}

/** A thousand busy targets starve an ordinary event loop. Where raising the priority is not permitted, the timer thread carries on alone. */
export function raisePriority(): void {
  try {
    os.setPriority(-10);
  } catch {
    // Not permitted: everything works, but later.
  }
}
