/**
 * TOML with places: the value of a file, and where in the file each part of it stands. toml-eslint-parser, because it keeps the places; parsers that do
 * not would leave the operator to search a file of 500 rules for the one that is wrong.
 */
import { getStaticTOMLValue, parseTOML } from "toml-eslint-parser";

/** A configuration is written by people; what is larger than this was not. Keeps a parse under a second. */
const largestFile = 1 << 20;
export function parseDocument(file, text) {
  const problem = (line, column, message) => ({ file, line, column, message });
  if (text.length > largestFile)
    return problem(null, null, `the file is larger than ${largestFile / 1024} kB; split it into conf.d/*.toml`);
  try {
    const program = parseTOML(text, { tomlVersion: "1.0.0" });
    const value = getStaticTOMLValue(program);
    // A thousand tables within tables: to walk it would overflow the stack as well, later and in a worse place.
    if (deeperThan(value, 32)) return problem(1, 1, "tables are nested more than 32 levels deep; no setting needs that");
    return { file, value, place: (path) => placeOf(program, path) };
  } catch (error) {
    const { lineNumber, column, message } = error;
    if (error instanceof RangeError) return problem(1, 1, "tables are nested too deeply; no setting needs that");
    return problem(lineNumber ?? 1, (column ?? 0) + 1, `this is not TOML: ${sentence(message)}`);
  }
}
function sentence(message) {
  return message.slice(0, 1).toLowerCase() + message.slice(1);
}
function deeperThan(value, levels) {
  if (typeof value !== "object" || value === null || value instanceof Date) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(inner, levels - 1));
}
/** The node that stands for the longest known part of `path`. */
function placeOf(program, path) {
  const places = new Map();
  const note = (at, node) => {
    const key = keyOf(at);
    if (!places.has(key)) places.set(key, node);
  };
  const walk = (at, node) => {
    if (node.type === "TOMLKeyValue") {
      const inner = [...at];
      for (const part of node.key.keys) {
        inner.push(part.type === "TOMLBare" ? part.name : part.value);
        note(inner, part);
      }
      walk(inner, node.value);
      return;
    }
    if (node.type === "TOMLArray") {
      for (const [index, element] of node.elements.entries()) {
        note([...at, index], element);
        walk([...at, index], element);
      }
    } else if (node.type === "TOMLInlineTable") {
      for (const entry of node.body) walk(at, entry);
    }
  };
  const [top] = program.body;
  for (const node of top.body) {
    if (node.type === "TOMLKeyValue") {
      walk([], node);
      continue;
    }
    const { resolvedKey } = node;
    for (let length = 1; length <= resolvedKey.length; length++) note(resolvedKey.slice(0, length), node.key);
    for (const entry of node.body) walk(resolvedKey, entry);
  }
  for (let length = path.length; length > 0; length--) {
    const node = places.get(keyOf(path.slice(0, length)));
    if (node !== undefined) return { line: node.loc.start.line, column: node.loc.start.column + 1 };
  }
  return { line: 1, column: 1 };
}
function keyOf(path) {
  return JSON.stringify(path);
}
