/** Numbers as people read them. */

/** Three significant digits, or all digits before the point. */
function digits(value: number): string {
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude < 10 ? 2 : magnitude < 100 ? 1 : 0);
}

export function time(ns: number): string {
  if (Number.isNaN(ns)) return "–";
  const magnitude = Math.abs(ns);
  if (magnitude < 1e3) return `${ns.toFixed(0)} ns`;
  if (magnitude < 1e6) return `${digits(ns / 1e3)} µs`;
  if (magnitude < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

export function milliseconds(ms: number): string {
  return time(ms * 1e6);
}

export function percent(share: number): string {
  return Number.isNaN(share) ? "–" : `${digits(share * 100)} %`;
}

export function partsPerMillion(ppm: number): string {
  return Number.isNaN(ppm) ? "–" : `${digits(ppm)} ppm`;
}

export function megabytes(bytes: number): string {
  return `${digits(bytes / 1e6)} MB`;
}

export function times(ratio: number): string {
  return Number.isNaN(ratio) ? "–" : `${digits(ratio)} ×`;
}
