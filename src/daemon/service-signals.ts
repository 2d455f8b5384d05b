/**
 * What signals mean to the daemon. Made before the daemon is: a SIGUSR2 or SIGTERM during the first scan must not end us by its default action, with the
 * next start hobbling everything again.
 */
import { constants } from "node:os";
import { pauseOnSignal } from "../native.js";
import { host } from "../native-host.js";
import type { ServiceManager } from "./service-manager.js";
import type { Supervisor } from "./supervisor.js";

export class ServiceSignals {
  /** SIGTERM or SIGINT came. The handlers stay: a second one must not end us before everything runs. */
  readonly ended: Promise<NodeJS.Signals>;
  #supervisor: Supervisor | undefined;
  #manager: ServiceManager | undefined;
  #offAsked = false;
  #reloadAsked = false;

  constructor() {
    this.ended = new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, resolve);
    });
    // The engine has resumed everything by the time that JavaScript hears of it.
    pauseOnSignal(constants.signals.SIGUSR2, () => {
      this.#offAsked = true;
      void this.#supervisor?.off("SIGUSR2");
    });
    process.on("SIGHUP", () => void this.#reload());
  }

  /** To whom they go from now on; also those that came before. */
  pass(supervisor: Supervisor, manager: ServiceManager): void {
    this.#supervisor = supervisor;
    this.#manager = manager;
    if (this.#offAsked) void supervisor.off("SIGUSR2");
    if (this.#reloadAsked) void this.#reload();
  }

  async #reload(): Promise<void> {
    this.#reloadAsked = true;
    this.#manager?.tell(`RELOADING=1\nMONOTONIC_USEC=${Math.round(host().monotonicNs() / 1e3)}`);
    await this.#supervisor?.reload("SIGHUP");
    this.#manager?.tell("READY=1");
  }
}
