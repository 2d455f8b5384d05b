/** A daemon in this process, on a configuration given as text; it ends with the test. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { Daemon } from "../../src/daemon/daemon.js";
import type { Decision } from "../../src/daemon/supervisor.js";
import { loadConfiguration } from "../../src/rules/configuration.js";
import { until } from "./processes.js";

const running = new Set<Daemon>();
const folders = new Set<string>();

afterEach(async () => {
  await Promise.all([...running].map((daemon) => daemon.close()));
  running.clear();
  await Promise.all([...folders].map((folder) => rm(folder, { recursive: true, force: true })));
  folders.clear();
});

export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hobble-daemon-"));
  folders.add(folder);
  return folder;
}

export interface RunningDaemon {
  readonly daemon: Daemon;
  readonly folder: string;
  readonly file: string;
  /** Decisions of this kind on this process so far. */
  decisions(kind: Decision["kind"], pid?: number): Decision[];
  decided(kind: Decision["kind"], pid?: number): Promise<void>;
}

/** `toml` may hold FOLDER, which stands for a folder of its own. */
export async function startDaemon(toml: string, folder?: string): Promise<RunningDaemon> {
  const place = folder ?? (await scratchFolder());
  const file = join(place, "hobble.toml");
  await writeFile(file, toml.replaceAll("FOLDER", place));
  const { configuration, problems } = await loadConfiguration(file);
  if (configuration === undefined) throw new Error(JSON.stringify(problems));
  const daemon = await Daemon.start({ configuration, statePath: join(place, "state.json"), version: "test" });
  running.add(daemon);
  const decisions = (kind: Decision["kind"], pid?: number) =>
    daemon.decisions().filter((decision) => decision.kind === kind && (pid === undefined || decision.pid === pid));
  return {
    daemon,
    folder: place,
    file,
    decisions,
    decided: (kind, pid) => until(() => decisions(kind, pid).length > 0, `${kind} ${pid ?? ""}`),
  };
}

export async function endDaemon({ daemon }: RunningDaemon): Promise<void> {
  await daemon.close();
  running.delete(daemon);
}
