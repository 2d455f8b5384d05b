/** `hobble daemon` as a process, with a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HobbleClient } from "hobble/client";
import { repository } from "../native-programs.js";

export const commandPath = `${repository}/dist/cli/main.js`;

export interface ServiceOptions {
  /** Rules, given the folder that its files may lie in. */
  rules: (folder: string) => string;
  scan?: string;
  events?: "auto" | "off";
}

export class Service {
  readonly folder = mkdtempSync(join(tmpdir(), "hobble-bench-"));
  readonly socket = join(this.folder, "hobble.sock");
  readonly client = new HobbleClient({ socket: this.socket });
  #process: ChildProcess | undefined;

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves when it answers. Writes `files` into its folder first. */
  static async start({ rules, scan = "2s", events = "auto" }: ServiceOptions, files: Record<string, string> = {}): Promise<Service> {
    const service = new Service();
    const { folder, socket } = service;
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const own = `[daemon]\nscan = "${scan}"\nevents = "${events}"\nsocket = "${socket}"\nstate = "${folder}/state.json"\n`;
    writeFileSync(join(folder, "hobble.toml"), `${own}[engine]\nruntimeDir = "${folder}/run"\n${rules(folder)}`);
    // It dies with us, however we end; its guardian then resumes what it hobbled.
    const words = ["--pdeathsig", "TERM", "--", process.execPath, commandPath, "daemon", "-c", `${folder}/hobble.toml`];
    service.#process = spawn("setpriv", words, { stdio: ["ignore", "ignore", "inherit"] });
    await service.until(async () => (await service.client.status()) !== undefined);
    return service;
  }

  /** Asks again and again, as an error says that it cannot answer yet. */
  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const there = await holds().catch(() => false);
      if (there) return;
      if (performance.now() > deadline || this.#process?.exitCode !== null) throw new Error("the daemon did not do its work");
      await sleep(50);
    }
  }

  async hobbles(count: number): Promise<void> {
    await this.until(async () => (await this.client.stats()).engine.targets >= count);
  }

  async end(): Promise<void> {
    if (this.#process !== undefined && this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      await once(this.#process, "exit");
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
