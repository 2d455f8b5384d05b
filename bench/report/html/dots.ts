/** One figure of each contestant with its 95 % interval. */
import type { Estimate } from "../../statistics/bootstrap.js";
import type { Metric } from "../metrics.js";
import { colour, decades, drawing, element, line, linearScale, logScale, responsive, steps, text } from "./svg.js";

export interface Dot {
  contestant: string;
  name: string;
  estimate: Estimate;
}

const rowHeight = 28;
const topMargin = 26;

export function dots(title: string, rows: readonly Dot[], metric: Metric): string {
  return rows.length === 0 ? "" : responsive((width) => draw(width, title, rows, metric));
}

function draw(width: number, title: string, rows: readonly Dot[], { format, logarithmic = false }: Metric): string {
  const narrow = width < 500;
  const [left, right] = [narrow ? 104 : 140, width - (narrow ? 70 : 90)];
  const values = rows.flatMap(({ estimate }) => [estimate.value, estimate.low, estimate.high]).filter((value) => Number.isFinite(value));
  const positive = values.filter((value) => value > 0);
  const asLog = logarithmic && positive.length > 0 && Math.max(...positive) > 4 * Math.min(...positive);
  const marks = asLog ? decades(Math.min(...positive), Math.max(...positive)) : steps(Math.max(...values, 1e-9));
  const [from, to] = [marks[0] ?? 0, marks.at(-1) ?? 1];
  const x = asLog ? logScale([from, to], [left, right]) : linearScale([from, to], [left, right]);
  const height = topMargin + rows.length * rowHeight + 4;
  const sparse = narrow ? Math.ceil(marks.length / 4) : Math.ceil(marks.length / 8);
  const axis = marks.map((mark, index) => {
    const words =
      index % sparse === 0 ? text(x(mark), 14, format(mark).replace(/\.0+(?=\D)/, ""), { class: "tick", "text-anchor": "middle" }) : "";
    return line(x(mark), topMargin - 6, x(mark), height - 4, "grid") + words;
  });
  const drawn = rows.map(({ contestant, name, estimate }, index) => {
    const y = topMargin + (index + 0.5) * rowHeight;
    return element(
      "g",
      { class: colour(contestant) },
      text(left - 10, y + 4, name, { class: "name small", "text-anchor": "end" }) +
        line(left, y, x(estimate.value), y, "stem") +
        line(x(estimate.low), y, x(estimate.high), y, "interval") +
        element("circle", { cx: x(estimate.value), cy: y, r: 4.5, class: "dot" }) +
        text(right + 12, y + 4, format(estimate.value), { class: "figure" }),
    );
  });
  return drawing(width, height, title, axis.join("") + drawn.join(""));
}
