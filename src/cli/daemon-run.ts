/** What `hobble daemon` does. A module of its own, loaded when it is needed: it would cost every other command 100 ms. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { systemSocketPath, userSocketPath } from "../control/paths.js";
import { groupId } from "../control/peer.js";
import { requireFreePlace } from "../control/socket.js";
import { Daemon } from "../daemon/daemon.js";
import { DaemonLog, writesToJournal } from "../daemon/log.js";
import { serve } from "../daemon/service.js";
import { ServiceSignals } from "../daemon/service-signals.js";
import { HobbleError } from "../errors.js";
import { type Configuration, loadConfiguration, readConfiguration } from "../rules/configuration.js";
import { formatProblem } from "./configuration-problems.js";
import { type DaemonFlags, systemConfiguration } from "./daemon.js";
import { raisePriority } from "./lifetime.js";
import { print, printError } from "./streams.js";

export async function runDaemon({ config, user = undefined, socket }: DaemonFlags): Promise<void> {
  const forUser = user === true;
  const configuration = await configurationOf(config, forUser);
  if (configuration === undefined) return;
  const { adminGroup, metrics, state } = configuration.daemon;
  const path = socket ?? configuration.daemon.socket ?? (forUser ? userSocketPath() : systemSocketPath);
  const adminGid = adminGroup === undefined ? undefined : groupId(adminGroup);
  if (adminGroup !== undefined && adminGid === undefined) {
    throw new HobbleError("EINVAL", `adminGroup: there is no group ${JSON.stringify(adminGroup)} on this host`);
  }
  // Before anything is hobbled: two daemons would be in each other's way.
  await requireFreePlace(path);
  raisePriority();
  // The garbage of scans needs no 32 MB of room: without this the daemon takes them after some minutes, and is no faster.
  setFlagsFromString("--semi-space-growth-factor=1");
  const log = new DaemonLog(print, writesToJournal(1));
  const signals = new ServiceSignals();
  const supervisor = await Daemon.start({ configuration, statePath: state ?? usualStatePath(forUser), version: packageVersion() });
  await serve({ supervisor, engineClosed: supervisor.engineClosed, socket: path, forUser, adminGid, metrics, log, signals });
}

/** Undefined when it has errors, which are told. */
async function configurationOf(config: string | undefined, forUser: boolean): Promise<Configuration | undefined> {
  const file = config ?? (forUser ? userConfiguration() : systemConfiguration);
  const loaded = file === undefined ? readConfiguration([{ file: "", text: "" }]) : await loadConfiguration(file);
  if (loaded.configuration !== undefined) return file === undefined ? { ...loaded.configuration, file: null } : loaded.configuration;
  for (const problem of loaded.problems) printError(formatProblem(problem));
  process.exitCode = 1;
  return undefined;
}

function userConfiguration(): string | undefined {
  const base = process.env.XDG_CONFIG_HOME ?? join(os.homedir(), ".config");
  const file = join(base, "hobble", "hobble.toml");
  return existsSync(file) ? file : undefined;
}

function usualStatePath(forUser: boolean): string {
  const folder = forUser
    ? join(process.env.XDG_STATE_HOME ?? join(os.homedir(), ".local/state"), "hobble")
    : (process.env.STATE_DIRECTORY ?? "/var/lib/hobble");
  try {
    mkdirSync(dirname(folder), { recursive: true });
    mkdirSync(folder, { mode: 0o700, recursive: true });
  } catch {
    // The daemon says that it cannot save.
  }
  return join(folder, "state.json");
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
