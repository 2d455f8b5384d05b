/**
 * Which rules a command line may match at all, going by texts that their regular expressions need. All texts are looked for in one walk over the command
 * line, by a hash of their last four characters: to ask each expression by itself would take 100 ns each.
 */

const width = 4;

export class CommandIndex {
  readonly #words: number;
  /** Bits of the rules of which nothing is known; of every rule, while it is looked for. */
  readonly #indifferent: Uint32Array;
  readonly #row: Uint32Array;
  readonly #texts = new Map<number, { readonly text: string; readonly rule: number }[]>();
  /** Whether any text has such a hash: nearly all places of a command line end here. */
  readonly #known = new Uint8Array(1 << 16);
  readonly #claimed = new Set<number>();

  constructor(rules: number) {
    this.#words = Math.ceil(rules / 32);
    this.#indifferent = new Uint32Array(this.#words).fill(0xffff_ffff);
    this.#row = new Uint32Array(this.#words);
  }

  get empty(): boolean {
    return this.#texts.size === 0;
  }

  /** The rule needs one of these texts. */
  add(rule: number, needed: readonly string[]): void {
    // Of several conditions on the command line the first is enough; a short text has no hash.
    if (this.#claimed.has(rule) || needed.some((text) => text.length < width)) return;
    this.#claimed.add(rule);
    this.#indifferent[rule >>> 5] = (this.#indifferent[rule >>> 5] ?? 0) & ~(1 << (rule & 31));
    for (const text of needed) {
      const hash = hashEndingAt(text, text.length - 1);
      this.#known[hash & 0xffff] = 1;
      this.#texts.set(hash, [...(this.#texts.get(hash) ?? []), { text, rule }]);
    }
  }

  /** Clears in `all` the bits of the rules that need a text which is not there. */
  narrow(all: Uint32Array, commandLine: string): void {
    const row = this.#row;
    row.set(this.#indifferent);
    for (let at = width - 1; at < commandLine.length; at++) {
      const hash = hashEndingAt(commandLine, at);
      if (this.#known[hash & 0xffff] === 0) continue;
      for (const { text, rule } of this.#texts.get(hash) ?? []) {
        if (commandLine.startsWith(text, at + 1 - text.length)) row[rule >>> 5] = (row[rule >>> 5] ?? 0) | (1 << (rule & 31));
      }
    }
    for (let word = 0; word < this.#words; word++) all[word] = (all[word] ?? 0) & (row[word] ?? 0);
  }
}

function hashEndingAt(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at - 1);
  const c = text.charCodeAt(at - 2);
  const d = text.charCodeAt(at - 3);
  return (a + Math.imul(b, 31) + Math.imul(c, 961) + Math.imul(d, 29_791)) | 0;
}
