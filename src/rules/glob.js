/** Globs over names and paths: `*` stands for any text, `?` for one character. Linear in the text for each star, and so cannot be made to hang. */
/** Whether the whole of `text` is what `glob` says. A backslash takes away the meaning of the character after it. */
export function globTester(glob) {
  if (!/[*?\\]/.test(glob)) return (text) => text === glob;
  const parts = split(glob);
  const [only] = parts;
  if (parts.length === 2 && parts[1]?.length === 0 && only?.every((piece) => piece !== anyOne)) {
    const prefix = only.join("");
    return (text) => text.startsWith(prefix);
  }
  return (text) => matches(parts, text);
}
const anyOne = "";
/** What stands between the stars. */
function split(glob) {
  const parts = [[]];
  const characters = [...glob];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") parts.push([]);
    else if (character === "?") parts.at(-1)?.push(anyOne);
    else if (character === "\\" && at + 1 < characters.length) parts.at(-1)?.push(characters[++at] ?? "");
    else parts.at(-1)?.push(character);
  }
  return parts;
}
/** The first and the last part are tied to the ends; each part between takes the earliest place that fits, which is never wrong. */
function matches(parts, text) {
  const characters = [...text];
  const first = parts[0] ?? [];
  const last = parts.at(-1) ?? [];
  if (parts.length === 1) return characters.length === first.length && fits(first, characters, 0);
  if (characters.length < first.length + last.length || !fits(first, characters, 0)) return false;
  const end = characters.length - last.length;
  if (!fits(last, characters, end)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    while (at + part.length <= end && !fits(part, characters, at)) at++;
    if (at + part.length > end) return false;
    at += part.length;
  }
  return true;
}
function fits(part, characters, at) {
  return part.every((piece, index) => piece === anyOne || piece === characters[at + index]);
}
