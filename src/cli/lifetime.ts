/** What signals from the terminal and the system mean to a command that hobbles. The library installs no handlers; this is where they are. */
import { readFileSync } from "node:fs";
import os from "node:os";
import type { Hobbler } from "../hobbler.js";
import { host } from "../native.js";

/** Resolves at the first signal that asks us to end. The handlers stay: a second Ctrl-C must not end us before everything runs again. */
export function endSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, resolve);
  });
}

/** Ctrl-Z: everything runs before we stop, and is hobbled again when we go on. */
export function pauseWhenStopped(hobbler: Hobbler): void {
  for (const signal of ["SIGTSTP", "SIGTTIN", "SIGTTOU"] as const) {
    process.on(signal, () => {
      // A write to a terminal that wants us to stop (SIGTTOU) is tried, and the signal sent, over and over until we stop: the last of them may
      // be told after the SIGCONT of `fg`.
      if (signal !== "SIGTSTP" && inForeground()) return;
      hobbler.pause();
      host().stopSelf(os.constants.signals[signal]);
      hobbler.resume();
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
