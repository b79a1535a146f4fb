import { statSync } from "node:fs";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { BangerError, asBangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { WorkerPool, workerFile } from "../../base/workers.ts";
import type { ScannedBlob } from "../../layers/root-tree.ts";
import { runCount, sourceEnd, type PackedRuns } from "./content-runs.ts";
import type { ContentJob, ContentProgress } from "./content-worker.ts";

export type ContentPool = WorkerPool<ContentJob, null, ContentProgress>;

const op = "write contents";

/** What they make and drop is small: contents lie outside of the heap. */
const threadLimits = { maxYoungGenerationSizeMb: 2 };

/** Threads that write contents; whoever makes them disposes of them. */
export function contentPool(size: number): ContentPool {
  return new WorkerPool(workerFile(import.meta.dirname, "content-worker"), size, threadLimits);
}

export interface ContentContext {
  /** The image: by the time that contents are written there, as long as it will be, and reading as zeros. */
  readonly target: string;
  readonly layers: readonly ScannedBlob[];
  readonly limits: Limits;
  readonly pool: ContentPool;
  readonly signal: AbortSignal;
}

/** A layer that a thread is at, or waits for. */
interface LayerWork {
  readonly runs: MessagePort;
  /** What went wrong; fulfilled in any case. */
  readonly failure: Promise<unknown>;
}

/**
 * Writes the contents of layers to their places in the image. Begun before those are known: threads that would be idle
 * until then inflate the first bytes of the largest layers, and keep them. Disposing of it stops all threads.
 */
export class ContentWriting implements AsyncDisposable {
  readonly #context: ContentContext;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #works = new Map<number, LayerWork>();
  #bytes = 0;
  #onBytes: (bytes: number) => void = () => {};

  /** @param ahead how many layers are begun */
  constructor(context: ContentContext, ahead: number) {
    this.#context = context;
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
    for (const number of largestFirst(context.layers).slice(0, ahead)) this.#begin(number);
  }

  /**
   * Inflates each layer that has live contents once, several at a time, and writes those to their places. What goes where
   * follows from the runs alone, so neither the number of threads nor the order in which they finish matters. The first
   * failure stops all; once this settles none of them writes any more. Only once.
   *
   * Each blob's checksum is taken on the way and compared with that of what was scanned.
   *
   * @param onBytes bytes of content written so far, of all layers together
   * @throws BangerError LAYER_INVALID or DIFFID_MISMATCH where a blob is not what was scanned, DISK_FULL, CANCELLED.
   */
  async write(
    runsByLayer: readonly PackedRuns[],
    { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
  ): Promise<void> {
    const stop = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#onBytes = onBytes;
    try {
      await this.#writeAll(runsByLayer);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #writeAll(runsByLayer: readonly PackedRuns[]): Promise<void> {
    const live = liveLayers(runsByLayer);
    const isLive = new Set(live.map(({ number }) => number));
    // Of a layer that turns out to have nothing alive, nothing is asked.
    for (const [number, { runs }] of this.#works) if (!isLive.has(number)) runs.postMessage(noRuns);
    let failure: unknown;
    const works = live.map(async ({ number, runs }) => {
      const work = this.#works.get(number) ?? this.#begin(number);
      work.runs.postMessage(runs);
      const error = await work.failure;
      if (error === undefined) return;
      failure ??= error;
      this.#stop.abort(error);
    });
    await Promise.all(works);
    if (failure !== undefined) throw asBangerError(failure, op);
  }

  #begin(number: number): LayerWork {
    const { target, layers, limits, pool } = this.#context;
    const layer = layers[number];
    if (layer === undefined) {
      throw new BangerError("INTERNAL", `the tree refers to layer ${number}, which is not there`, { op });
    }
    const { port1, port2 } = new MessageChannel();
    const { path: blob, digest, crc32 } = layer;
    const job = { blob, layer: digest, crc32, target, runs: port2, limits };
    const onProgress = (more: ContentProgress): void => {
      this.#bytes += more;
      this.#onBytes(this.#bytes);
    };
    const done = pool.run(job, { signal: this.#signal, onProgress, transfer: [port2] });
    const failure = done.then(
      () => undefined,
      (error: unknown) => error,
    );
    const work = { runs: port1, failure: failure.finally(() => port1.close()) };
    this.#works.set(number, work);
    return work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new BangerError("CANCELLED", "nobody waits for the contents any more", { op }));
    await Promise.all([...this.#works.values()].map(({ failure }) => failure));
  }
}

const noRuns: PackedRuns = new Float64Array();

interface LiveLayer {
  readonly number: number;
  readonly runs: PackedRuns;
}

/** Those with live contents, the longest first: so that no thread is left alone with a long one at the end. */
function liveLayers(runsByLayer: readonly PackedRuns[]): readonly LiveLayer[] {
  return runsByLayer
    .map((runs, number) => ({ number, runs }))
    .filter(({ runs }) => runCount(runs) > 0)
    .sort((a, b) => sourceEnd(b.runs) - sourceEnd(a.runs));
}

/** The numbers of layers, those with the largest blobs first. One whose blob is missing is left to whoever opens it. */
function largestFirst(layers: readonly ScannedBlob[]): readonly number[] {
  const sizes = layers.map(({ path }) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return [...sizes.keys()].sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
}
