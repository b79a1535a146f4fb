/**
 * Prometheus' text format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 *
 * It is lines of `name{label="value"} number`; a package for it would bring more code than these.
 */
export const contentType = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** One figure, or a family of them that differ by labels. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** Put after the metric's name, as `_bucket`. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** Pure. */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(renderMetric).join("");
}

function renderMetric({ name, help, type, samples }: Metric): string {
  const lines = samples.map(
    ({ suffix = "", labels = {}, value }) =>
      `${name}${suffix}${renderLabels(labels)} ${renderNumber(value)}\n`,
  );
  return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function renderNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** Counts of one thing by one label, which only grow. */
export class Counter {
  readonly #label: string;
  readonly #counts: Map<string, number>;

  /** @param values of the label that are there from the start, so that a rate can be taken of the first one too */
  constructor(label: string, values: readonly string[]) {
    this.#label = label;
    this.#counts = new Map(values.map((value) => [value, 0]));
  }

  add(value: string, amount = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + amount);
  }

  samples(): readonly Sample[] {
    return [...this.#counts].map(([value, count]) => ({ labels: { [this.#label]: value }, value: count }));
  }
}

/** How often what was measured was at most this or that, by one label. */
export class Histogram {
  readonly #label: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();

  /** @param bounds upper ends of the buckets, growing; one for all the rest is added */
  constructor(label: string, bounds: readonly number[]) {
    this.#label = label;
    this.#bounds = bounds;
  }

  observe(label: string, value: number): void {
    const series = this.#series.get(label) ?? { counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
    this.#series.set(label, series);
    // Buckets are cumulative: each counts all that is not above its end.
    for (const [at, bound] of this.#bounds.entries())
      if (value <= bound) series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
    series.count++;
  }

  samples(): readonly Sample[] {
    const samples: Sample[] = [];
    for (const [label, { counts, sum, count }] of this.#series) {
      const labels = { [this.#label]: label };
      for (const [at, bound] of [...this.#bounds, Infinity].entries()) {
        const value = counts[at] ?? count;
        samples.push({ suffix: "_bucket", labels: { ...labels, le: renderNumber(bound) }, value });
      }
      samples.push({ suffix: "_sum", labels, value: sum }, { suffix: "_count", labels, value: count });
    }
    return samples;
  }
}
