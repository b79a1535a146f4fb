import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ServerInterceptor } from "@grpc/grpc-js";
import type { PullEvent } from "../../pull/events.ts";
import type { EndedPull, PullObserver } from "../../pull/observer.ts";
import { CallMetrics } from "./call-metrics.ts";
import { Counter, Histogram, type Metric } from "./exposition.ts";

/** What the figures are asked of when somebody wants them. */
export interface MetricSources {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly activePulls: () => number;
  readonly waitingPulls: () => number;
  readonly images: () => Promise<number>;
  readonly cacheBytes: () => Promise<number>;
}

const outcomes = [
  "published",
  "failed",
  "cancelled",
  "joined",
] as const satisfies readonly EndedPull["outcome"][];

/** Seconds: a stage of a small image takes some milliseconds, a fetch over a bad line half an hour. */
const stageBounds = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000];

/** How often the event loop is looked at, in milliseconds: its delay is known to about this. */
const loopResolutionMs = 20;

/** Counts while the daemon runs, and tells all figures at once. Its owner disposes of it. */
export class DaemonMetrics implements PullObserver, Disposable {
  readonly #pulls = new Counter(outcomes.map((outcome) => ({ outcome })));
  readonly #bytes = new Counter(["source", "resumed", "cache"].map((from) => ({ from })));
  readonly #stages = new Histogram(stageBounds);
  readonly #calls = new CallMetrics();
  readonly #loop = monitorEventLoopDelay({ resolution: loopResolutionMs });

  constructor() {
    this.#loop.enable();
  }

  /** Measures the calls of a server that is made with it. */
  get interceptor(): ServerInterceptor {
    return this.#calls.interceptor;
  }

  begun(): void {
    // Those that are under way are counted when they are asked for.
  }

  said({ body }: PullEvent): void {
    if (body.kind !== "layerFetched") return;
    const { sizeBytes, cached, receivedBytes = 0, sparedBytes = 0 } = body;
    this.#bytes.add({ from: "source" }, receivedBytes);
    this.#bytes.add({ from: "resumed" }, sparedBytes);
    if (cached) this.#bytes.add({ from: "cache" }, sizeBytes);
  }

  ended({ outcome, stages }: EndedPull): void {
    this.#pulls.add({ outcome });
    for (const { stage, begin, end } of stages) this.#stages.observe({ stage }, (end - begin) / 1000);
  }

  /** All of it, as it is now. The event loop's delay is that since the last time. */
  async collect(sources: MetricSources): Promise<readonly Metric[]> {
    const [images, cacheBytes] = await Promise.all([sources.images(), sources.cacheBytes()]);
    const { version, startedAt } = sources;
    return [
      gauge("banger_build_info", "What runs, in its labels.", 1, { version, node: process.versions.node }),
      {
        name: "banger_pulls_total",
        help: "Pulls that have ended, by how.",
        type: "counter",
        samples: this.#pulls.samples(),
      },
      gauge("banger_pulls_active", "Pulls under way, those that wait among them.", sources.activePulls()),
      gauge("banger_pulls_waiting", "Pulls that wait for their turn.", sources.waitingPulls()),
      {
        name: "banger_layer_bytes_total",
        help: "Bytes of layers: from a source, spared by resuming a broken download, spared by the cache.",
        type: "counter",
        samples: this.#bytes.samples(),
      },
      {
        name: "banger_stage_duration_seconds",
        help: "How long the stages of pulls took.",
        type: "histogram",
        samples: this.#stages.samples(),
      },
      ...this.#calls.metrics(),
      gauge("banger_images", "Images that are published.", images),
      gauge("banger_cache_bytes", "Bytes of the cache on its disk.", cacheBytes),
      this.#loopDelay(),
      gauge(
        "process_resident_memory_bytes",
        "Memory of the process that is in RAM.",
        process.memoryUsage.rss(),
      ),
      gauge(
        "process_start_time_seconds",
        "When the daemon started, in seconds since 1970.",
        startedAt / 1000,
      ),
    ];
  }

  [Symbol.dispose](): void {
    this.#loop.disable();
  }

  #loopDelay(): Metric {
    // What is measured is the time from one look to the next: what it should be is no delay.
    const at = (quantile: string, nanoseconds: number) => ({
      labels: { quantile },
      value: Math.max(0, nanoseconds / 1e9 - loopResolutionMs / 1000),
    });
    const { max } = this.#loop;
    const samples = [
      at("0.5", this.#loop.percentile(50)),
      at("0.99", this.#loop.percentile(99)),
      at("1", max),
    ];
    this.#loop.reset();
    return {
      name: "banger_event_loop_delay_seconds",
      help: "How late the event loop was since the last time this was asked.",
      type: "gauge",
      samples,
    };
  }
}

function gauge(
  name: string,
  help: string,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): Metric {
  return { name, help, type: "gauge", samples: [{ labels, value }] };
}
