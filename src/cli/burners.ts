/** Processes to hobble, for the demonstration. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("burner.js", import.meta.url));

/** Starts `count` of them and returns their PIDs when all of them burn. Disposing kills them and waits until they are gone. */
export async function startBurners(count: number): Promise<{ pids: number[] } & AsyncDisposable> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [program, String(process.pid)], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const dispose = async () => {
    await Promise.all(children.map(kill));
  };
  try {
    return { pids: await Promise.all(children.map(burning)), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function burning(child: ChildProcess): Promise<number> {
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`a burner could not start: it ended with ${code}`);
  });
  exited.catch(() => {}); // it ends some day, killed by us
  await Promise.race([once(child.stdout ?? child, "data"), exited]);
  if (child.pid === undefined) throw new Error("a burner could not start");
  return child.pid;
}

/** SIGKILL ends a stopped process too. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
