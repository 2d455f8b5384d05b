/**
 * What has to be made again? Decided by content, never by modification times: a checkout, a copy or an unpacked archive changes those
 * at will, and a deleted source leaves no time behind.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** @param {string} path A file, or a folder of which every file counts. @returns {string[]} */
function filesOf(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => filesOf(join(path, entry.name)))
    .sort();
}

/**
 * Names and contents of all inputs in one hash. 60 files cost 5 ms.
 * @param {string} root @param {string[]} inputs Relative paths of files and folders, each of which must exist.
 */
function fingerprint(root, inputs) {
  const hash = createHash("sha256");
  for (const file of inputs.flatMap((input) => filesOf(join(root, input)))) {
    const content = readFileSync(file);
    hash.update(`${file.slice(root.length)} ${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

/**
 * Something that is made from sources. The stamp holds the fingerprint of the inputs that it was last made from.
 * @typedef {{ root: string, inputs: string[], outputs: string[], stamp: string }} Product
 */

/** @param {Product} product */
export function isFresh({ root, inputs, outputs, stamp }) {
  if (![...outputs, stamp].every((path) => existsSync(join(root, path)))) return false;
  return readFileSync(join(root, stamp), "utf8") === fingerprint(root, inputs);
}

/**
 * Runs `make`, then stamps the product. The fingerprint is taken first: what is edited meanwhile counts as not yet made.
 * @param {Product} product @param {() => void} make Throws when it fails; the product then keeps its old stamp.
 */
export function remake({ root, inputs, stamp }, make) {
  const before = fingerprint(root, inputs);
  make();
  mkdirSync(dirname(join(root, stamp)), { recursive: true });
  writeFileSync(join(root, stamp), before);
}

/**
 * True if every package that the lock file asks for is installed in the version it asks for. npm leaves out optional packages that
 * are meant for other systems.
 * @param {string} root
 */
export function dependenciesInstalled(root) {
  const installedList = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedList)) return false;
  const { packages: installed } = JSON.parse(readFileSync(installedList, "utf8"));
  const { packages: wanted } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.keys(wanted).every((path) => {
    if (path === "") return true;
    return path in installed ? installed[path].version === wanted[path].version : wanted[path].optional === true;
  });
}
