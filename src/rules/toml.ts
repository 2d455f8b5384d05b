/**
 * TOML with places: the value of a file, and where in the file each part of it stands. toml-eslint-parser, because it keeps the places; parsers that do
 * not would leave the operator to search a file of 500 rules for the one that is wrong.
 */
import { type AST, getStaticTOMLValue, parseTOML } from "toml-eslint-parser";
import type { ConfigurationProblem } from "../daemon/supervisor.js";

/** Keys and indices from the top of a document. */
export type Path = readonly (string | number)[];

export interface Document {
  readonly file: string;
  readonly value: Record<string, unknown>;
  /** Where the value at `path` stands; where there is none, what would hold it. */
  place(path: Path): Place;
}

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A configuration is written by people; what is larger than this was not. Keeps a parse under a second. */
const largestFile = 1 << 20;

export function parseDocument(file: string, text: string): Document | ConfigurationProblem {
  const problem = (line: number | null, column: number | null, message: string) => ({ file, line, column, message });
  if (text.length > largestFile)
    return problem(null, null, `the file is larger than ${largestFile / 1024} kB; split it into conf.d/*.toml`);
  try {
    const program = parseTOML(text, { tomlVersion: "1.0.0" });
    const poison = poisonedKey(program, text);
    if (poison !== undefined) return problem(poison.line, poison.column, "no setting is called __proto__");
    const value = getStaticTOMLValue(program) as Record<string, unknown>;
    // A thousand tables within tables: to walk it would overflow the stack as well, later and in a worse place.
    if (deeperThan(value, 32)) return problem(1, 1, "tables are nested more than 32 levels deep; no setting needs that");
    let places: Map<string, Node> | undefined;
    const place = (path: Path) => {
      places ??= placesOf(program);
      return placeIn(places, path);
    };
    return { file, value, place };
  } catch (error) {
    const { lineNumber, column, message } = error as { lineNumber?: number; column?: number; message: string };
    if (error instanceof RangeError) return problem(1, 1, "tables are nested too deeply; no setting needs that");
    return problem(lineNumber ?? 1, (column ?? 0) + 1, `this is not TOML: ${sentence(message)}`);
  }
}

function sentence(message: string): string {
  return message.slice(0, 1).toLowerCase() + message.slice(1);
}

function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null || value instanceof Date) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(inner, levels - 1));
}

type Node = AST.TOMLNode;

/** Every key and every entry of a list, by its path. */
function placesOf(program: AST.TOMLProgram): Map<string, Node> {
  const places = new Map<string, Node>();
  const note = (at: Path, node: Node) => {
    const key = keyOf(at);
    if (!places.has(key)) places.set(key, node);
  };
  const walk = (at: Path, node: AST.TOMLKeyValue | AST.TOMLContentNode): void => {
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
  return places;
}

/** A table of this name would be given to every object of the process. The key may be written with escapes. */
function poisonedKey(program: AST.TOMLProgram, text: string): Place | undefined {
  if (!text.includes("__proto__") && !text.includes("\\")) return undefined;
  for (const [path, node] of placesOf(program)) if ((JSON.parse(path) as Path).includes("__proto__")) return placeOf(node);
  return undefined;
}

function placeOf({ loc: { start } }: Node): Place {
  return { line: start.line, column: start.column + 1 };
}

/** The node that stands for the longest known part of `path`. */
function placeIn(places: ReadonlyMap<string, Node>, path: Path): Place {
  for (let length = path.length; length > 0; length--) {
    const node = places.get(keyOf(path.slice(0, length)));
    if (node !== undefined) return placeOf(node);
  }
  return { line: 1, column: 1 };
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}
