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

/** Counts of one thing by its labels, which only grow. */
export class Counter {
  readonly #samples = new Map<string, { readonly labels: Labels; value: number }>();

  /** @param known labels that are there from the start, so that a rate can be taken of the first one too */
  constructor(known: readonly Labels[] = []) {
    for (const labels of known) this.add(labels, 0);
  }

  add(labels: Labels, amount = 1): void {
    const key = renderLabels(labels);
    const sample = this.#samples.get(key) ?? { labels, value: 0 };
    this.#samples.set(key, sample);
    sample.value += amount;
  }

  samples(): readonly Sample[] {
    return [...this.#samples.values()].map(({ labels, value }) => ({ labels, value }));
  }
}

interface Series {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  count: number;
}

/** How often what was measured was at most this or that, by its labels. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** @param bounds upper ends of the buckets, growing; one for all the rest is added */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = renderLabels(labels);
    const series = this.#series.get(key) ?? { labels, counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, series);
    // Buckets are cumulative: each counts all that is not above its end.
    for (const [at, bound] of this.#bounds.entries())
      if (value <= bound) series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
    series.count++;
  }

  samples(): readonly Sample[] {
    const samples: Sample[] = [];
    for (const { labels, counts, sum, count } of this.#series.values()) {
      for (const [at, bound] of [...this.#bounds, Infinity].entries()) {
        const value = counts[at] ?? count;
        samples.push({ suffix: "_bucket", labels: { ...labels, le: renderNumber(bound) }, value });
      }
      samples.push({ suffix: "_sum", labels, value: sum }, { suffix: "_count", labels, value: count });
    }
    return samples;
  }
}
