/** Directories of a test's own, removed after it. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Mode 0700, in memory, where runtime directories usually are. */
export function newFolder(): string {
  const path = mkdtempSync("/dev/shm/hobble-test-");
  made.push(path);
  return path;
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The package as it is installed, for a test that takes it apart. */
export function copyOfPackage(): { cli: string; guardian: string } {
  const path = newFolder();
  for (const part of ["package.json", "dist", "build/Release/hobble_engine.node", "build/Release/hobble_host.node"]) {
    cpSync(join(root, part), join(path, part), { recursive: true });
  }
  const guardian = join(path, "build/Release/hobble_guardian");
  cpSync(join(root, "build/Release/hobble_guardian"), guardian);
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  return { cli: join(path, "dist/cli/main.js"), guardian };
}
