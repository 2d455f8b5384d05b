/**
 * The text format that Prometheus reads (version 0.0.4; https://prometheus.io/docs/instrumenting/exposition_formats/). Every figure is kept by
 * the daemon and the engine already, so a client library, which keeps counters of its own, would only hold a second copy.
 */
import type { Histogram } from "../stats.js";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels | undefined;
  readonly value: number;
}

export class Exposition {
  readonly #lines: string[] = [];

  counter(name: string, help: string, samples: number | readonly Sample[]): void {
    this.#family(name, "counter", help, samples);
  }

  gauge(name: string, help: string, samples: number | readonly Sample[]): void {
    this.#family(name, "gauge", help, samples);
  }

  /** In seconds, as Prometheus' conventions have it. */
  histogram(name: string, help: string, boundsNs: readonly number[], series: readonly { labels: Labels; histogram: Histogram }[]): void {
    this.#head(name, "histogram", help);
    for (const { labels, histogram } of series) {
      for (const [at, boundNs] of boundsNs.entries()) {
        this.#sample(`${name}_bucket`, { ...labels, le: String(boundNs / 1e9) }, histogram.cumulative[at] ?? 0);
      }
      this.#sample(`${name}_bucket`, { ...labels, le: "+Inf" }, histogram.count);
      this.#sample(`${name}_sum`, labels, histogram.sumNs / 1e9);
      this.#sample(`${name}_count`, labels, histogram.count);
    }
  }

  text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #family(name: string, type: string, help: string, samples: number | readonly Sample[]): void {
    this.#head(name, type, help);
    for (const { labels = {}, value } of typeof samples === "number" ? [{ value: samples }] : samples) this.#sample(name, labels, value);
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    this.#lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${format(value)}`);
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function format(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
