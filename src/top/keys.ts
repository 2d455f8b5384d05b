/** What the keys of `hobble top` do to what it shows. Pure, but for the settings that it changes. */
import { sortKeys, type ViewSettings, visibleRows } from "./view.js";

const escapeKey = String.fromCharCode(27);
/** What may follow Esc: cursor and function keys. */
const sequence = /^(\[[0-9;]*[A-Za-z~]|O[A-Za-z])/;

/** The keys in a piece of terminal input; sequences that begin with Esc are one key. */
export function keysOf(input: string): string[] {
  const keys: string[] = [];
  for (let rest = input; rest !== ""; rest = rest.slice(keys.at(-1)?.length ?? 1)) {
    const [following = ""] = rest.startsWith(escapeKey) ? (sequence.exec(rest.slice(1)) ?? []) : [];
    keys.push(following === "" ? String.fromCodePoint(rest.codePointAt(0) ?? 0) : escapeKey + following);
  }
  return keys;
}

const moves: Readonly<Record<string, (settings: ViewSettings, page: number, last: number) => number>> = {
  "\u001b[A": ({ chosen }) => chosen - 1,
  k: ({ chosen }) => chosen - 1,
  "\u001b[B": ({ chosen }) => chosen + 1,
  j: ({ chosen }) => chosen + 1,
  "\u001b[5~": ({ chosen }, page) => chosen - page,
  "\u001b[6~": ({ chosen }, page) => chosen + page,
  "\u001b[H": () => 0,
  "\u001b[1~": () => 0,
  g: () => 0,
  "\u001b[F": (_, __, last) => last,
  "\u001b[4~": (_, __, last) => last,
  G: (_, __, last) => last,
};

/** False: quit. */
export function press(key: string, settings: ViewSettings, rows: number, height: number): boolean {
  if (key === "\u0003") return false;
  if (settings.typing !== undefined) {
    type(key, settings, settings.typing);
    return true;
  }
  const move = moves[key];
  const sort = sortKeys[key];
  if (key === "q" || key === "\u001b[21~") return false;
  if (move !== undefined) settings.chosen = Math.max(0, Math.min(move(settings, visibleRows(height), rows - 1), rows - 1));
  else if (key === "/") settings.typing = settings.filter;
  else if (key === "\u001b") {
    settings.filter = "";
    settings.help = false;
  } else if (key === "t" || key === "\u001b[15~") settings.tree = !settings.tree;
  else if (key === "I") settings.reverse = !settings.reverse;
  else if (key === "h" || key === "?") settings.help = !settings.help;
  else if (sort !== undefined) {
    settings.reverse = sort === settings.sort ? !settings.reverse : false;
    settings.sort = sort;
  }
  return true;
}

/** The filter takes effect while it is typed. */
function type(key: string, settings: ViewSettings, typed: string): void {
  if (key === "\r" || key === "\n") settings.typing = undefined;
  else if (key === "\u001b") {
    settings.typing = undefined;
    settings.filter = "";
  } else {
    const text = key === "\u007f" || key === "\b" ? typed.slice(0, -1) : /^[^\p{Cc}]$/u.test(key) ? typed + key : typed;
    settings.typing = text;
    settings.filter = text;
  }
}
