/** A daemon as a service: its socket, metrics, log and signals. */
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { systemSocketPath } from "../control/paths.js";
import { ControlServer } from "../control/server.js";
import { HobbleError } from "../errors.js";
import { metricsText } from "../metrics/daemon-metrics.js";
import { listenForScrapes, type MetricsPort } from "../metrics/port.js";
import type { DaemonLog } from "./log.js";
import { serviceManager } from "./service-manager.js";
import type { ServiceSignals } from "./service-signals.js";
import type { Supervisor } from "./supervisor.js";

export interface ServiceOptions {
  readonly supervisor: Supervisor;
  /** Resolves when the engine ends by itself. */
  readonly engineClosed: Promise<void>;
  readonly socket: string;
  /** One's own daemon, for nobody else. */
  readonly forUser: boolean;
  readonly adminGid: number | undefined;
  /** HOST:PORT on the loopback. */
  readonly metrics: string | undefined;
  readonly log: DaemonLog;
  readonly signals: ServiceSignals;
}

/**
 * Serves until SIGTERM or SIGINT. Everything runs when it resolves.
 *
 * @throws HobbleError `ERR_SOCKET`; `ERR_CLOSED` when the engine ended by itself
 */
export async function serve(options: ServiceOptions): Promise<void> {
  const { supervisor, engineClosed, socket, forUser, adminGid, metrics, log, signals } = options;
  const manager = serviceManager(process.env, (message) => log.warn(message));
  // Not for the commands that the daemon starts.
  delete process.env.NOTIFY_SOCKET;
  for (const decision of supervisor.decisions()) log.decision(decision);
  supervisor.subscribe((decision) => log.decision(decision));
  signals.pass(supervisor, manager);

  let control: ControlServer | undefined;
  let exposition: MetricsPort | undefined;
  try {
    const text = () => metricsText(supervisor);
    const ownUid = process.geteuid?.() ?? 0;
    // Every user may connect, and so must be able to enter the directory; the tables beside the socket are root's alone.
    if (!forUser && socket === systemSocketPath) chmodSync(dirname(socket), 0o711);
    const admins = { gid: adminGid, ownUid };
    const mode = forUser ? 0o600 : 0o666;
    control = await ControlServer.listen({ path: socket, mode, admins, supervisor, metrics: text, warn: (message) => log.warn(message) });
    if (metrics !== undefined) exposition = await listenForScrapes(metrics, text);
    log.info("listening", `at ${socket}${metrics === undefined ? "" : ` and http://${metrics}/metrics`}`);
    manager.tell("READY=1");
    const ended = await Promise.race([signals.ended, engineClosed]);
    manager.tell("STOPPING=1");
    if (ended === undefined) throw new HobbleError("ERR_CLOSED", "the engine ended by itself: a guardian is required, and there is none");
  } finally {
    // First of all everything runs again.
    await supervisor.close();
    await exposition?.close();
    await control?.close();
    manager.close();
  }
}
