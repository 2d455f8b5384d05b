#!/usr/bin/env node
/**
 * Writes docs/configuration.schema.json, the JSON Schema of the configuration, from the schema that the daemon checks it with. `--check` only tells
 * whether the file is up to date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import { publishedSchemas } from "../dist/rules/fields.js";
import { mainFile } from "../dist/rules/schema.js";

const path = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs/configuration.schema.json");

const generated = toJsonSchema(mainFile, {
  typeMode: "input",
  // What a check says about several settings together has no counterpart; the daemon tells it.
  errorMode: "ignore",
  overrideSchema: ({ valibotSchema }) => publishedSchemas.get(valibotSchema),
});
const title = "Configuration of hobble";
// Compared without its layout, which the formatter chooses.
const text = `${JSON.stringify({ title, ...generated }, undefined, 2)}\n`;

if (!process.argv.includes("--check")) writeFileSync(path, text);
else if (JSON.stringify(JSON.parse(readFileSync(path, "utf8"))) !== JSON.stringify(JSON.parse(text))) {
  console.error("docs/configuration.schema.json is not up to date; run: node scripts/config-schema.mjs");
  process.exitCode = 1;
}
