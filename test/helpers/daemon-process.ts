/** `hobble daemon` as a process, with a socket, a state and a runtime directory of its own. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type Running, run } from "./cli.js";
import { hobbleWords, type Result, result } from "./exec.js";
import { until } from "./processes.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export class DaemonProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "hobble-service-"));
  readonly socket = join(this.folder, "hobble.sock");
  readonly file = join(this.folder, "hobble.toml");
  /** May be set before the next `configure`. */
  state = join(this.folder, "state.json");

  constructor(toml: string) {
    folders.push(this.folder);
    chmodSync(this.folder, 0o711);
    this.configure(toml);
  }

  configure(toml: string): void {
    const own = `[daemon]\nscan = "250ms"\nwatchFile = false\nsocket = "${this.socket}"\nstate = "${this.state}"\n`;
    writeFileSync(this.file, `${own}[engine]\nrealtime = "off"\nruntimeDir = "${this.folder}/run"\n${toml}`);
  }

  /** Resolves when it answers. `through`: a command that runs it. */
  async start(env: NodeJS.ProcessEnv = process.env, through: readonly string[] = []): Promise<Running> {
    const running = await run([...through, ...hobbleWords, "daemon", "-c", this.file], { env });
    await until(() => running.stdout().includes('"event":"listening"'), `it listens: ${running.stderr()}`).catch((error: Error) => {
      throw new Error(`${error.message}; ${running.stderr()}${running.stdout()}`);
    });
    return running;
  }

  hobble(...args: (string | number)[]): Promise<Result> {
    return result([...hobbleWords, ...args.map(String)], { env: { ...process.env, HOBBLE_SOCKET: this.socket } });
  }

  async json(...args: (string | number)[]): Promise<Record<string, unknown>> {
    const { stdout, stderr } = await this.hobble(...args, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  }

  async targets(): Promise<number[]> {
    const { targets } = (await this.json("ls")) as { targets: { pid: number }[] };
    return targets.map(({ pid }) => pid);
  }
}
