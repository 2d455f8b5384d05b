/** How errors or latencies are distributed: one hill for each contestant on a common logarithmic axis, with its median and its p99. */
import { type Bins, binsCount, binsQuantile, binValue } from "../../statistics/bins.js";
import { time } from "../units.js";
import { colour, decades, drawing, element, line, logScale, path, responsive, text } from "./svg.js";

export interface Ridge {
  contestant: string;
  name: string;
  bins: Bins;
}

const rowHeight = 54;
/** On narrow screens the name has a line of its own. */
const narrowRowHeight = 70;
const labelWidth = 190;
const hillHeight = 40;
const topMargin = 26;
const bottomMargin = 8;
/** Of the smoothing, in bins: a sixth of a doubling. */
const bandwidth = 3;

export function ridges(title: string, rows: readonly Ridge[]): string {
  const filled = rows.filter(({ bins }) => bins.length > 0);
  if (filled.length === 0) return "";
  return responsive((width) => draw(width, title, filled));
}

function draw(width: number, title: string, rows: readonly Ridge[]): string {
  const narrow = width < 500;
  const left = 8;
  const right = width - 8;
  const low = Math.min(...rows.map(({ bins }) => binsQuantile(bins, 0.02)));
  const high = Math.max(...rows.map(({ bins }) => binsQuantile(bins, 1)));
  const marks = decades(Math.max(100, low), high);
  const from = marks[0] ?? 100;
  const to = marks.at(-1) ?? 1e9;
  const x = logScale([from, to], [left + 8, right - 30]);
  const step = narrow ? narrowRowHeight : rowHeight;
  const height = topMargin + rows.length * step + bottomMargin;
  const axis = marks.map((mark, index) => {
    const words =
      narrow && index % 2 === 1
        ? ""
        : text(x(mark), 14, time(mark).replace(/\.0+ /, " "), { class: "tick", "text-anchor": index === 0 ? "start" : "middle" });
    return line(x(mark), topMargin - 6, x(mark), height - bottomMargin, "grid") + words;
  });
  const hills = rows.map((row, index) => hill(row, topMargin + (index + 1) * step - 6, x, right, narrow));
  return drawing(width, height, title, axis.join("") + hills.join(""));
}

function hill({ contestant, name, bins }: Ridge, base: number, x: (ns: number) => number, right: number, narrow: boolean): string {
  const density = smooth(bins);
  const tallest = Math.max(...density.map(([, share]) => share));
  const points = density.map(([bin, share]) => [x(binValue(bin)), base - (share / tallest) * hillHeight] as const);
  const [first, last] = [points[0], points.at(-1)];
  const outline = first && last ? [[first[0], base] as const, ...points, [last[0], base] as const] : [];
  const [p50, p99] = [binsQuantile(bins, 0.5), binsQuantile(bins, 0.99)];
  const figures = `p50 ${time(p50)}   p99 ${time(p99)}`;
  const label = narrow ? lineAbove(name, figures, base, right) : beside(name, figures, base, right, x(binsQuantile(bins, 0.01)), x(p99));
  return element(
    "g",
    { class: colour(contestant) },
    path(outline, { class: "hill" }) +
      line(8, base, right, base, "base") +
      element("circle", { cx: x(p50), cy: base, r: 4, class: "dot" }) +
      line(x(p99), base - 7, x(p99), base + 5, "mark") +
      label,
  );
}

function lineAbove(name: string, figures: string, base: number, right: number): string {
  const y = base - hillHeight - 8;
  return text(8, y, name, { class: "name" }) + text(right, y, figures, { class: "figure", "text-anchor": "end" });
}

/** On the side where the hill is not. */
function beside(name: string, figures: string, base: number, right: number, from: number, to: number): string {
  const onTheLeft = to > right - labelWidth && from > 8;
  const at = onTheLeft ? { x: 8, anchor: "start" } : { x: right, anchor: "end" };
  return (
    text(at.x, base - 22, name, { class: "name", "text-anchor": at.anchor }) +
    text(at.x, base - 7, figures, { class: "figure", "text-anchor": at.anchor })
  );
}

/** A Gaussian over the bins. */
function smooth(bins: Bins): [number, number][] {
  const total = binsCount(bins);
  const first = (bins[0] ?? 0) - 3 * bandwidth;
  const last = (bins.at(-2) ?? 0) + 3 * bandwidth;
  const shares = new Map<number, number>();
  for (let i = 0; i < bins.length; i += 2) {
    for (let offset = -3 * bandwidth; offset <= 3 * bandwidth; offset++) {
      const bin = (bins[i] ?? 0) + offset;
      const weight = Math.exp(-(offset ** 2) / (2 * bandwidth ** 2));
      shares.set(bin, (shares.get(bin) ?? 0) + (weight * (bins[i + 1] ?? 0)) / total);
    }
  }
  return Array.from({ length: last - first + 1 }, (_, index) => [first + index, shares.get(first + index) ?? 0]);
}
