/** A control socket over a daemon in memory, in a directory of its own, gone after the test. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { HobbleClient } from "../../src/control/client.js";
import { type ControlOptions, ControlServer } from "../../src/control/server.js";
import type { TargetReport } from "../../src/daemon/supervisor.js";
import { FakeSupervisor } from "./fake-supervisor.js";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** That every user may enter. */
export function ownDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "hobble-control-"));
  chmodSync(directory, 0o755);
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Control {
  readonly path: string;
  readonly supervisor: FakeSupervisor;
  readonly server: ControlServer;
  readonly warnings: string[];
  client(): HobbleClient;
}

export async function startControl(targets: readonly TargetReport[] = [], options: Partial<ControlOptions> = {}): Promise<Control> {
  const supervisor = new FakeSupervisor(targets);
  const warnings: string[] = [];
  const path = options.path ?? join(ownDirectory(), "hobble.sock");
  const server = await ControlServer.listen({
    path,
    mode: 0o666,
    admins: { gid: undefined, ownUid: 0 },
    supervisor,
    metrics: () => "",
    warn: (message) => warnings.push(message),
    ...options,
  });
  undo.push(
    () => supervisor.close(),
    () => server.close(),
  );
  return {
    path,
    supervisor,
    server,
    warnings,
    client() {
      const client = new HobbleClient({ socket: path });
      undo.push(() => client[Symbol.dispose]());
      return client;
    },
  };
}
