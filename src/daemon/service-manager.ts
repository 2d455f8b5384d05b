/**
 * Talks to the service manager that started us, if it wants to be told (sd_notify(3)): that we are ready, what we do, that we live. Node has no
 * Unix datagrams, so the host addon sends them.
 */
import { host } from "../native-host.js";

export interface ServiceManager {
  /** "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=…"; several at once are lines. */
  tell(state: string): void;
  /** Ends the pings. */
  close(): void;
}

const silent: ServiceManager = { tell() {}, close() {} };

/**
 * @param environment NOTIFY_SOCKET, and WATCHDOG_USEC with WATCHDOG_PID, as the manager sets them
 * @param warn is told once when the manager cannot be reached
 */
export function serviceManager(environment: NodeJS.ProcessEnv, warn: (message: string) => void): ServiceManager {
  const path = environment.NOTIFY_SOCKET;
  if (path === undefined || !/^[/@]/.test(path)) return silent;
  let warned = false;
  const tell = (state: string) => {
    const error = host().sendDatagram(path, state);
    if (error === "" || warned) return;
    warned = true;
    warn(`the service manager cannot be reached at ${path}: ${error}`);
  };
  const pings = watchdogPings(environment, tell);
  return { tell, close: () => clearInterval(pings) };
}

/** Twice as often as it must be: from the event loop, so that a daemon whose event loop hangs is restarted. */
function watchdogPings(environment: NodeJS.ProcessEnv, tell: (state: string) => void): NodeJS.Timeout | undefined {
  const { WATCHDOG_USEC: patience, WATCHDOG_PID: forPid } = environment;
  const micros = Number(patience);
  if (!Number.isSafeInteger(micros) || micros <= 0) return undefined;
  if (forPid !== undefined && Number(forPid) !== process.pid) return undefined;
  return setInterval(() => tell("WATCHDOG=1"), Math.max(1, micros / 2000)).unref();
}
