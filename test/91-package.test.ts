/** What others get when they install the package. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectedContents, pack } from "../scripts/package-contents.mjs";

test("the package holds the compiled library, the sources of the addons and the documents, and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "hobble-package-"));
  try {
    expect(pack(folder).contents).toEqual(expectedContents());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("binding.gyp names every native source", () => {
  const gyp = readFileSync("binding.gyp", "utf8");
  const named = [...gyp.matchAll(/"(native\/[^"]+\.cc)"/g)].map(([, path]) => path);
  const present = ["native/engine", "native/guardian", "native/host"].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".cc"))
      .map((name) => `${folder}/${name}`),
  );
  expect([...new Set(named)].sort()).toEqual(present.sort());
});
