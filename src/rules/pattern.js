/**
 * Regular expressions of a configuration, run by re2js: time linear in the text whatever the expression, so that a command line which its owner may
 * choose cannot make the daemon hang. (Node's own RegExp backtracks; RE2 itself would be a second native build, and its WebAssembly build is no
 * longer kept up.) Costs 2 to 6 µs a text, which is why what is plain text is searched for as such.
 */
import { RE2JS } from "re2js";

/** Instructions of a compiled expression: each character of a text may cost one step for each of them. 4 kB of command line times 2,000 is 10 ms. */
const largestProgram = 2000;
/** @throws Error whose message completes "must be …": what is wrong with the expression. */
export function compilePattern(source) {
  const compiled = compile(source);
  if (compiled.programSize() > largestProgram) {
    throw new Error(`a smaller regular expression: it compiles to ${compiled.programSize()} steps, the most is ${largestProgram}`);
  }
  const plain = plainText(source);
  if (plain !== undefined) return plain;
  const needed = neededText(source);
  return { source, test: (text) => (needed === undefined || text.includes(needed)) && compiled.test(text) };
}
function compile(source) {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const message = error.message.replace(/^error parsing regexp: /, "");
    const advice = /Perl syntax/.test(message) ? "; look-ahead and look-behind do not exist here" : "";
    throw new Error(`a regular expression in the syntax of RE2 (${message}${advice})`);
  }
}
/** An expression that is nothing but text, perhaps tied to an end. */
function plainText(source) {
  const [, start, text = "", end] = /^(\^?)((?:[\w /=:,@%~#&!"';<>-]|\\[./+*?()[\]{}|^$\\-])*)(\$?)$/.exec(source) ?? [];
  if (start === undefined) return undefined;
  const plain = text.replace(/\\(.)/g, "$1");
  if (start && end) return { source, test: (given) => given === plain };
  if (start) return { source, test: (given) => given.startsWith(plain) };
  if (end) return { source, test: (given) => given.endsWith(plain) };
  return { source, test: (given) => given.includes(plain) };
}
const token = /\\([dDwWsSbB])|\\([^A-Za-z0-9])|(\[(?:\\.|[^\]\\])+\]|[.^$])|([*+?]|\{\d+(?:,\d*)?\})|([^\\[\](){}|])/gy;
/**
 * Text that whatever matches must hold: it is looked for first, which takes a fiftieth of the time. Only for expressions without groups and choices;
 * undefined for all others.
 */
function neededText(source) {
  const runs = [""];
  let read = 0;
  for (const [whole, kind, escaped, wild, repeated, plain] of source.matchAll(token)) {
    read += whole.length;
    const run = runs.at(-1) ?? "";
    // What is repeated may be missing; what follows it does not stand next to what came before.
    if (repeated !== undefined) runs.push("", ...runs.splice(-1, 1, run.slice(0, -1)).slice(1));
    else if (kind !== undefined || wild !== undefined) runs.push("");
    else runs[runs.length - 1] = run + (escaped ?? plain ?? "");
  }
  if (read < source.length) return undefined;
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest.length > 1 ? longest : undefined;
}
