/** How what is wrong with a configuration reads. */
import type { ConfigurationProblem } from "../daemon/supervisor.js";

export function formatProblem({ file, line, column, message }: ConfigurationProblem): string {
  return `${file}${line === null ? "" : `:${line}:${column}`}: ${message}`;
}
