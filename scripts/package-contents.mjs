/** What the package may contain: exactly what is compiled from src, the sources of the addons, the benchmark, and the documents. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const FIXED = ["CHANGELOG.md", "LICENSE", "README.md", "binding.gyp", "package.json", "scripts/build-native.mjs"];

/** @param {string} folder @param {RegExp} names */
function list(folder, names) {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => names.test(path))
    .map((path) => `${folder}/${path}`);
}

/** Sorted paths relative to the root. */
export function expectedContents() {
  const modules = list("src", /\.ts$/).map((path) => path.replace(/^src\/(.*)\.ts$/, "dist/$1"));
  return [
    ...FIXED,
    ...modules.flatMap((path) => [`${path}.js`, `${path}.d.ts`]),
    ...["native/engine", "native/guardian", "native/host"].flatMap((folder) => list(folder, /\.(cc|h)$/)),
    // The benchmark: compiled, with the C programs and the peers that it starts.
    ...list("bench", /(?<!\.d)\.ts$/).map((path) => `build-${path.replace(/\.ts$/, ".js")}`),
    ...list("bench/native", /\.(c|cc)$/),
    ...list("bench/peers", /\.py$/),
    ...list("docs", /\.(json|md|svg)$/),
    ...list("packaging", /\.(toml|service|conf|json)$/),
  ].sort();
}

/**
 * Packs the working tree as it is, without running scripts.
 * @param {string} folder Where to put the tarball.
 * @returns {{ tarball: string, contents: string[] }} Its path, and the sorted paths of the files in it.
 */
export function pack(folder) {
  const args = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
  const [{ filename, files }] = /** @type {[{ filename: string, files: { path: string }[] }]} */ (JSON.parse(stdout));
  return { tarball: join(folder, filename), contents: files.map(({ path }) => path).sort() };
}
