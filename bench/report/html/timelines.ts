/** A stretch of what really happened: a row for each target, filled while it was not stopped. */
import type { Timeline } from "../../suite/results.js";
import { colour, drawing, element, line, linearScale, responsive, text } from "./svg.js";

const rowHeight = 7;
const gap = 34;
const top = 8;

export function timelines(title: string, all: readonly { timeline: Timeline; name: string }[]): string {
  return all.length === 0 ? "" : responsive((width) => draw(width, title, all));
}

function draw(width: number, title: string, all: readonly { timeline: Timeline; name: string }[]): string {
  let y = top;
  const parts: string[] = [];
  for (const { timeline, name } of all) {
    const x = linearScale([0, timeline.lengthMs], [8, width - 8]);
    parts.push(element("g", { class: colour(timeline.contestant) }, text(8, y + 12, name, { class: "name" }) + band(timeline, x, y + 20)));
    y += 20 + timeline.runs.length * rowHeight + gap - 20;
  }
  const last = all[0]?.timeline;
  if (last !== undefined) {
    const x = linearScale([0, last.lengthMs], [8, width - 8]);
    for (let ms = 0; ms <= last.lengthMs; ms += 200) {
      parts.push(
        line(x(ms), y - 10, x(ms), y - 5, "base") +
          text(x(ms), y + 8, `${ms} ms`, { class: "tick", "text-anchor": ms === 0 ? "start" : "middle" }),
      );
      if (width < 500) ms += 200;
    }
  }
  return drawing(width, y + 14, title, parts.join(""));
}

function band({ runs }: Timeline, x: (ms: number) => number, y: number): string {
  const rows = runs.map((marks, row) => {
    const boxes: string[] = [];
    for (let i = 0; i < marks.length; i += 2) {
      const [from, to] = [x(marks[i] ?? 0), x(marks[i + 1] ?? 0)];
      boxes.push(`M${from.toFixed(1)} ${y + row * rowHeight}h${Math.max(1, to - from).toFixed(1)}v${rowHeight - 2}H${from.toFixed(1)}z`);
    }
    return boxes.join("");
  });
  return element("path", { class: "box", d: rows.join("") });
}
