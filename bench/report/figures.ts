/** The figures that hobble is held to: asked, measured, met or not. */

export interface Figure {
  scenario: string;
  what: string;
  asked: string;
  measured: string;
  /** Undefined: could not be measured here; `measured` says why. */
  met: boolean | undefined;
}

type Format = (value: number) => string;

export function atMost(scenario: string, what: string, value: number, limit: number, format: Format): Figure {
  return { scenario, what, asked: `≤ ${format(limit)}`, measured: format(value), met: value <= limit };
}

export function atLeast(scenario: string, what: string, value: number, limit: number, format: Format): Figure {
  return { scenario, what, asked: `≥ ${format(limit)}`, measured: format(value), met: value >= limit };
}

export function notMeasured(scenario: string, what: string, why: string): Figure {
  return { scenario, what, asked: "", measured: why, met: undefined };
}
