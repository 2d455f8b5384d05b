/** Loads the compiled addons. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { HobbleError } from "./errors.js";

/** The package's root, seen from dist/native-addon.js. */
export const packageRoot = fileURLToPath(new URL("..", import.meta.url));

/** The compiled addon, or a HobbleError with ERR_UNSUPPORTED that says why it cannot be had here. */
export function loadAddon<T>(name: "engine" | "host"): T {
  if (process.platform !== "linux") {
    throw new HobbleError("ERR_UNSUPPORTED", `hobble works on Linux only; this is ${process.platform}`);
  }
  const require = createRequire(import.meta.url);
  try {
    return require(`${packageRoot}/build/Release/hobble_${name}.node`) as T;
  } catch (cause) {
    throw new HobbleError(
      "ERR_UNSUPPORTED",
      `the native addon of hobble could not be loaded: ${(cause as Error).message}; run "npm rebuild hobble" (needs a C++20 compiler, make and Python 3)`,
      { cause },
    );
  }
}
