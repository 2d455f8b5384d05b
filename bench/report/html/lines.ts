/** How a cost grows with the number of targets: both axes logarithmic, 95 % intervals, the floor dashed. */
import type { Estimate } from "../../statistics/bootstrap.js";
import { colour, decades, drawing, element, line, logScale, path, responsive, text } from "./svg.js";

export interface Series {
  contestant: string;
  name: string;
  floor: boolean;
  points: { count: number; estimate: Estimate }[];
}

const topMargin = 12;
const bottomMargin = 40;
const labelHeight = 15;

export function lines(title: string, series: readonly Series[], format: (value: number) => string, xTitle: string): string {
  const drawn = series.filter(({ points }) => points.length > 0);
  return drawn.length === 0 ? "" : responsive((width) => draw(width, title, drawn, format, xTitle));
}

function draw(width: number, title: string, series: readonly Series[], format: (value: number) => string, xTitle: string): string {
  const narrow = width < 500;
  const height = narrow ? 340 : 400;
  const [left, right] = [narrow ? 52 : 64, width - (narrow ? 100 : 130)];
  const all = series.flatMap(({ points }) => points);
  const values = all.map(({ estimate }) => estimate.value).filter((value) => value > 0);
  const counts = all.map(({ count }) => count);
  const xMarks = decades(Math.min(...counts), Math.max(...counts));
  const yMarks = decades(Math.min(...values), Math.max(...values));
  const x = logScale([Math.min(...counts), Math.max(...counts)], [left + 8, right]);
  const y = logScale([Math.min(...values) * 0.8, Math.max(...values) * 1.25], [height - bottomMargin, topMargin]);
  const inside = (mark: number) => y(mark) >= topMargin - 1 && y(mark) <= height - bottomMargin + 1;
  const axes = [
    ...yMarks
      .filter(inside)
      .map(
        (mark) =>
          line(left, y(mark), right, y(mark), "grid") +
          text(left - 6, y(mark) + 4, format(mark).replace(/\.0+(?=\D)/, ""), { class: "tick", "text-anchor": "end" }),
      ),
    ...xMarks
      .filter((mark) => x(mark) <= right + 1)
      .map((mark) => text(x(mark), height - bottomMargin + 18, mark.toLocaleString("en"), { class: "tick", "text-anchor": "middle" })),
    text((left + right) / 2, height - 6, xTitle, { class: "tick", "text-anchor": "middle" }),
  ];
  const ends = series.map(({ points }) => y(points.at(-1)?.estimate.value ?? 0));
  const labels = spread(ends, topMargin + 8, height - bottomMargin);
  const curves = series.map((one, index) => curve(one, x, y, right, ends[index] ?? 0, labels[index] ?? 0));
  return drawing(width, height, title, axes.join("") + curves.join(""));
}

function curve(
  { contestant, name, floor, points }: Series,
  x: (v: number) => number,
  y: (v: number) => number,
  right: number,
  end: number,
  label: number,
): string {
  const at = points.map(({ count, estimate }) => [x(count), y(estimate.value)] as const);
  const lastX = at.at(-1)?.[0] ?? right;
  const bars = points.map(({ count, estimate }) => line(x(count), y(estimate.low), x(count), y(estimate.high), "interval"));
  const dots = at.map(([cx, cy]) => element("circle", { cx, cy, r: 3.2, class: "dot" }));
  const leader = path(
    [
      [lastX + 5, end],
      [right + 8, label],
      [right + 12, label],
    ],
    { class: "leader" },
  );
  return element(
    "g",
    { class: `${colour(contestant)}${floor ? " floor" : ""}` },
    path(at, { class: "curve" }) + bars.join("") + dots.join("") + leader + text(right + 15, label + 4, name, { class: "name small" }),
  );
}

/** Moves labels apart that would overlap; each stays as near to its place as its neighbours let it. */
function spread(places: readonly number[], top: number, bottom: number): number[] {
  const order = places.map((_, index) => index).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  const moved = [...places];
  let previous = top - labelHeight;
  for (const index of order) previous = moved[index] = Math.max(moved[index] ?? 0, previous + labelHeight);
  let next = bottom + labelHeight;
  for (const index of order.reverse()) next = moved[index] = Math.min(moved[index] ?? 0, next - labelHeight);
  return moved;
}
