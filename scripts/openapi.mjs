#!/usr/bin/env node
/** Writes docs/openapi.json from the schemas that the server checks requests with. With --check it only says whether the document is up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import { routes } from "../dist/control/routes.js";
import { decision, eventsQuery, failure } from "../dist/control/schemas.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = join(root, "docs/openapi.json");
/**
 * Durations and limits, whose form no JSON Schema can tell: to the schemas they are anything that a function of ours understands.
 * @type {NonNullable<ReturnType<typeof toJsonSchema>["properties"]>[string]}
 */
const amount = { anyOf: [{ type: "number" }, { type: "string" }], examples: ["10ms", "5%"] };

/** @param {import("valibot").GenericSchema} schema */
function jsonSchema(schema, typeMode = /** @type {"input" | "output"} */ ("input")) {
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode, errorMode: "ignore" });
  for (const [name, value] of Object.entries(rest.properties ?? {})) {
    if (rest.properties !== undefined && Object.keys(value).length === 0) rest.properties[name] = amount;
  }
  return rest;
}

/** @param {import("valibot").GenericSchema} schema */
function parameters(schema) {
  const { properties = {}, required = [] } = jsonSchema(schema);
  return Object.entries(properties).map(([name, value]) => ({ name, in: "query", required: required.includes(name), schema: value }));
}

/** @param {string} type @param {object} schema */
const answer = (type, schema) => ({
  200: { description: "Done", content: { [type]: { schema } } },
  default: { description: "Not done", content: { "application/json": { schema: { $ref: "#/components/schemas/failure" } } } },
});

/** @type {Record<string, Record<string, object>>} */
const paths = {};
for (const { method, path, summary, access, query, body, answer: schema } of routes) {
  const address = path.replace(":pid", "{pid}");
  const { properties = {} } = jsonSchema(body);
  const pid = path.includes(":pid") ? [{ name: "pid", in: "path", required: true, schema: { type: "integer", minimum: 1 } }] : [];
  paths[address] ??= {};
  paths[address][method.toLowerCase()] = {
    summary,
    "x-access": access,
    parameters: [...pid, ...parameters(query)],
    ...(Object.keys(properties).length === 0
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: jsonSchema(body) } } } }),
    responses: answer("application/json", jsonSchema(schema, "output")),
  };
}
paths["/v1/events"] = {
  get: {
    summary: "Decisions, one JSON object on a line; with follow=true as they are made, with empty lines as a sign of life",
    "x-access": "anyone",
    parameters: parameters(eventsQuery),
    responses: answer("application/x-ndjson", jsonSchema(decision, "output")),
  },
};
paths["/metrics"] = {
  get: { summary: "Prometheus text", "x-access": "admin", parameters: [], responses: answer("text/plain", { type: "string" }) },
};

const document = {
  openapi: "3.1.0",
  info: {
    title: "hobble daemon",
    version: "1",
    description:
      "HTTP over the daemon's Unix socket. Who asks is told by the kernel (SO_PEERCRED). x-access: admin = root and the admin group; anyone = every user, for processes of their own.",
  },
  paths,
  components: { schemas: { failure: jsonSchema(failure, "output") } },
};
// Compared without its layout, which the formatter chooses.
const text = `${JSON.stringify(document, null, 2)}\n`;
if (process.argv.includes("--check")) {
  if (JSON.stringify(JSON.parse(readFileSync(path, "utf8"))) !== JSON.stringify(JSON.parse(text))) {
    console.error("docs/openapi.json is not what the schemas say; run: node scripts/openapi.mjs");
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, text);
}
