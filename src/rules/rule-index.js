import { indexedOf, partsOf } from "./conditions.js";
import { globTester } from "./glob.js";

/** Texts that are remembered of a field; a host with more than these at once pays for some of them again. */
const mostTexts = 8192;
class FieldIndex {
  field;
  #words;
  /** Bits of the rules that ask nothing of this field. */
  #indifferent;
  #literals = new Map();
  #globs = [];
  #seen = new Map();
  constructor(field, rules) {
    this.field = field;
    this.#words = Math.ceil(rules / 32);
    this.#indifferent = new Uint32Array(this.#words).fill(0xffff_ffff);
  }
  add(rule, globs) {
    this.#indifferent[rule >>> 5] = (this.#indifferent[rule >>> 5] ?? 0) & ~(1 << (rule & 31));
    for (const glob of globs) {
      if (/[*?\\]/.test(glob)) this.#globs.push({ test: globTester(glob), rule });
      else this.#literals.set(glob, [...(this.#literals.get(glob) ?? []), rule]);
    }
  }
  bits(text) {
    let bits = this.#seen.get(text);
    if (bits !== undefined) return bits;
    bits = this.#indifferent.slice();
    for (const rule of this.#literals.get(text) ?? []) bits[rule >>> 5] = (bits[rule >>> 5] ?? 0) | (1 << (rule & 31));
    for (const { test, rule } of this.#globs) if (test(text)) bits[rule >>> 5] = (bits[rule >>> 5] ?? 0) | (1 << (rule & 31));
    if (this.#seen.size >= mostTexts) this.#seen.clear();
    this.#seen.set(text, bits);
    return bits;
  }
}
export class RuleIndex {
  #rules;
  #fields;
  constructor(rules) {
    const fields = new Map();
    this.#rules = rules.map((rule, at) => {
      const taken = new Set();
      const others = partsOf(rule.condition).filter((condition) => {
        if (condition.nature !== "fixed") return false;
        const indexed = indexedOf(condition);
        // A second condition on the same field (under `all`) would widen the bits of the first.
        if (indexed === undefined || taken.has(indexed.field)) return true;
        taken.add(indexed.field);
        let field = fields.get(indexed.field);
        if (field === undefined) {
          field = new FieldIndex(indexed.field, rules.length);
          fields.set(indexed.field, field);
        }
        field.add(at, indexed.globs);
        return false;
      });
      return { rule, others };
    });
    this.#fields = [...fields.values()];
  }
  /** In their order: the rules whose conditions on who the process is all hold. */
  *candidates(process, test) {
    const rows = this.#fields.map((field) => field.bits(process[field.field]));
    for (let word = 0; word < Math.ceil(this.#rules.length / 32); word++) {
      let bits = 0xffff_ffff;
      for (const row of rows) bits &= row[word] ?? 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const entry = this.#rules[word * 32 + bit];
        if (entry?.others.every(test)) yield entry.rule;
      }
    }
  }
}
