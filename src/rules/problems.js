/** Turns what the schema has to say about a document into problems with a place and advice. */
import { inspect } from "node:util";
import { nearest } from "./nearest.js";
export function problemAt(document, path, message) {
  return { file: document.file, ...document.place(path), message };
}
export function schemaProblems(document, schema, issues) {
  const problems = issues.map((issue) => schemaProblem(document, schema, issue));
  const seen = new Set();
  return problems
    .filter(({ line, column, message }) => {
      const key = `${line}:${column}:${message}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
function schemaProblem(document, schema, issue) {
  const path = (issue.path ?? []).map(({ key }) => key);
  const key = String(path.at(-1) ?? "");
  const parent = valueAt(document.value, path.slice(0, -1));
  // A list passes for a table until its entries are taken for settings.
  if (Array.isArray(parent) && issue.type === "strict_object") {
    return problemAt(document, path.slice(0, -1), `${nameOf(path.slice(0, -1))} must be a table, not a list`);
  }
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known = keysAt(schema, path.slice(0, -1));
    const meant = nearest(key, known);
    const advice = meant !== undefined ? `; did you mean "${meant}"?` : `; there are ${known.join(", ")}`;
    return problemAt(document, path, `there is no setting "${key}" in ${tableName(path)}${advice}`);
  }
  const given = typeof parent === "object" && parent !== null && key in parent;
  if (!given && path.length > 0) return problemAt(document, path.slice(0, -1), `${tableName(path)} has no "${key}", which must be given`);
  if (issue.type === "record" || issue.path?.at(-1)?.origin === "key") {
    return problemAt(document, path, `the name "${key}" must be ${issue.message}`);
  }
  return problemAt(document, path, `${nameOf(path)} must be ${issue.message}, not ${show(valueAt(document.value, path))}`);
}
function valueAt(value, path) {
  return path.reduce((at, key) => (typeof at === "object" && at !== null ? at[key] : undefined), value);
}
/** "match.cpuAbove", "tiers (entry 2).limit", "[notify.mail]" */
function nameOf(path) {
  const keys = path.slice(tableDepth(path));
  if (path.length === 0) return "the file";
  if (keys.length === 0) return path.length === 1 ? String(path[0]) : bracketed(path);
  return keys.reduce((text, key) => (typeof key === "number" ? `${text} (entry ${key + 1})` : text === "" ? key : `${text}.${key}`), "");
}
/** How many keys name the table that stands in brackets. */
function tableDepth([top, second]) {
  return typeof second === "number" || top === "pool" || top === "notify" ? 2 : 1;
}
function tableName(path) {
  if (path.length === 1) return "the file";
  const inner = path.slice(tableDepth(path), -1).filter((key) => typeof key === "string");
  return inner.length === 0 ? bracketed(path) : `${inner.join(".")} of ${bracketed(path)}`;
}
/** The table as the file writes it. */
function bracketed([top, second]) {
  if (typeof second === "number") return `[[${top}]]`;
  return top === "pool" || top === "notify" ? `[${top}.${second}]` : `[${top}]`;
}
/** The settings that a table at this path may have. */
function keysAt(schema, path) {
  let at = schema;
  for (const key of path) {
    at = unwrapped(at);
    at = at?.type === "array" ? at.item : at?.type === "record" ? at.value : at?.entries?.[key];
  }
  return Object.keys(unwrapped(at)?.entries ?? {});
}
function unwrapped(schema) {
  let at = schema;
  while (at?.wrapped !== undefined || at?.getter !== undefined) at = at.wrapped ?? at.getter?.(undefined);
  return at;
}
function show(value) {
  if (value === undefined) return "missing";
  return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 5, maxStringLength: 60 });
}
