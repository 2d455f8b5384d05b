/** The little of SVG that the plots need. Colours are classes, so that the page's style decides and dark pages get dark plots. */

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

type Attributes = Record<string, string | number>;

function round(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 10) / 10) : escaped(value);
}

export function element(name: string, attributes: Attributes, content = ""): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${round(value)}"`);
  return content === "" ? `<${name}${written.join("")}/>` : `<${name}${written.join("")}>${content}</${name}>`;
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escaped(words));
}

export function line(x1: number, y1: number, x2: number, y2: number, className: string): string {
  return element("line", { x1, y1, x2, y2, class: className });
}

export function path(points: readonly (readonly [number, number])[], attributes: Attributes): string {
  const d = points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
  return element("path", { d, ...attributes });
}

/** @param title read aloud, and shown where the drawing cannot be. */
export function drawing(width: number, height: number, title: string, content: string): string {
  return `<svg viewBox="0 0 ${width} ${Math.ceil(height)}" role="img" aria-label="${escaped(title)}"><title>${escaped(title)}</title>${content}</svg>`;
}

export type Scale = (value: number) => number;

export function linearScale(from: readonly [number, number], to: readonly [number, number]): Scale {
  return (value) => to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0]);
}

export function logScale(from: readonly [number, number], to: readonly [number, number]): Scale {
  const linear = linearScale([Math.log10(from[0]), Math.log10(from[1])], to);
  return (value) => linear(Math.log10(Math.max(value, from[0])));
}

/** Powers of ten from the one below to the one above. */
export function decades(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

/** Some four round numbers from 0 to at least `high`. */
export function steps(high: number): number[] {
  const rough = high / 4 || 1;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.ceil(high / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** Class of a contestant's colour. */
export function colour(contestant: string): string {
  return `c-${contestant.replaceAll(/[^a-z0-9]+/gi, "-")}`;
}

/** Both widths of one plot: the page shows the one that fits. */
export function responsive(draw: (width: number) => string): string {
  return `<div class="plot wide">${draw(760)}</div><div class="plot narrow">${draw(380)}</div>`;
}
