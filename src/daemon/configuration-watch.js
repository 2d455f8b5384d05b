/** Whether the files of a configuration have changed. Looked at with every scan: that finds out about a renamed, replaced or remade file alike. */
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
export class ConfigurationWatch {
  #file;
  #seen;
  constructor(file) {
    this.#file = file;
  }
  /** To be called when the files have been read. */
  async note() {
    this.#seen = await this.#look();
  }
  /** True once for each change. */
  async changed() {
    const now = await this.#look();
    const changed = this.#seen !== undefined && now !== this.#seen;
    this.#seen = now;
    return changed;
  }
  async #look() {
    const folder = join(dirname(this.#file), "conf.d");
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".toml")).sort();
    const paths = [this.#file, ...names.map((name) => join(folder, name))];
    const looks = await Promise.all(
      paths.map(async (path) => {
        const found = await stat(path, { bigint: true }).catch(() => undefined);
        return `${path} ${found?.ino} ${found?.size} ${found?.mtimeNs}`;
      }),
    );
    return looks.join("\n");
  }
}
