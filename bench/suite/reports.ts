/** Writes what people read beside the results. */
import { writeFileSync } from "node:fs";
import { page } from "../report/html/page.js";
import { suiteMarkdown } from "../report/suite-markdown.js";
import type { Results } from "./results.js";

/** Paths of what was written. */
export function writeReports(results: Results, path: string): string[] {
  const base = path.replace(/\.json$/, "");
  const files: [string, string][] = [
    [`${base}.html`, page(results)],
    [`${base}.md`, suiteMarkdown(results)],
  ];
  for (const [file, content] of files) writeFileSync(file, content);
  return files.map(([file]) => file);
}
