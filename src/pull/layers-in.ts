import type { Limits } from "../base/limits.ts";
import { BangerError } from "../base/error.ts";
import type { BlobCache } from "../blobs/cache.ts";
import type { LayerIndex } from "../layers/layer-index.ts";
import type { LayerScanner } from "../layers/scan.ts";
import type { ScannedBlob } from "../layers/root-tree.ts";
import type { ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import type { PullEventBody, Stage } from "./events.ts";
import type { StageClock } from "./stage-clock.ts";
import { LayerScan } from "./layer-scan.ts";
import { TurnQueue } from "./queue.ts";

export interface LayersInput {
  readonly source: Pick<ImageSource, "openBlob">;
  readonly image: {
    readonly manifest: Pick<ResolvedImage["manifest"], "layers">;
    readonly config: Pick<ResolvedImage["config"], "diffIds">;
  };
  readonly blobs: BlobCache;
  readonly scanner: LayerScanner;
  readonly limits: Limits;
  readonly clock: StageClock;
  readonly signal: AbortSignal;
  readonly emit: (stage: Stage, body: PullEventBody) => void;
}

export interface LayerIn {
  readonly blob: ScannedBlob;
  readonly index: LayerIndex;
}

/**
 * Brings all layers in, oldest first in the result: several downloads at once, and each layer scanned behind its
 * download where a thread is free for that, else as soon as it is whole while the others still download. A layer
 * listed several times is fetched and scanned once.
 *
 * The first failure stops the rest and is the one thrown, once all of it has stopped.
 */
export async function bringLayersIn(input: LayersInput): Promise<readonly LayerIn[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([input.signal, failed.signal]);
  const downloads = new TurnQueue(input.limits.concurrentDownloads);
  const first = new Map<string, Promise<LayerIn>>();
  const all = input.image.manifest.layers.map((descriptor, index) => {
    const known = first.get(descriptor.digest);
    const work = known ?? bringLayerIn({ ...input, signal }, downloads, index);
    first.set(descriptor.digest, work);
    return (known === undefined ? work : work.then((layer) => sayAgain(input, layer, index))).catch(
      (error: unknown) => {
        failed.abort(error);
        throw error;
      },
    );
  });
  const settled = await Promise.allSettled(all);
  if (failed.signal.aborted) throw failed.signal.reason;
  const layers = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  checkTotals(layers, input.limits);
  return layers;
}

async function bringLayerIn(input: LayersInput, downloads: TurnQueue, index: number): Promise<LayerIn> {
  const { image, clock, signal, emit } = input;
  const descriptor = image.manifest.layers[index];
  const diffId = image.config.diffIds[index];
  if (descriptor === undefined || diffId === undefined) {
    throw new BangerError("INTERNAL", `layer ${index} has no descriptor or no diffID`, {
      op: "fetch layers",
    });
  }
  const { digest, size, mediaType } = descriptor;
  const progress = (stage: Stage, phase: "fetching" | "scanning") => (doneBytes: number) =>
    emit(stage, { kind: "layerProgress", digest, index, phase, doneBytes, totalBytes: size });
  const options: SourceOptions = {
    signal,
    onRetry: (notice) => emit("fetch", { kind: "retrying", ...notice }),
  };

  const onProgress = progress("scan", "scanning");
  await using scan = new LayerScan({ ...input, digest, diffId, mediaType, onProgress });
  const turn = await downloads.enter(signal);
  const fetched = await clock
    .time("fetch", () =>
      input.blobs.fetch(descriptor, (offset) => input.source.openBlob(descriptor, offset, options), {
        ...options,
        onProgress: progress("fetch", "fetching"),
        onArriving: (file) => scan.begin(file),
      }),
    )
    .finally(() => turn[Symbol.dispose]());
  const { path, cached, from, receivedBytes, sparedBytes } = fetched.value;
  emit("fetch", {
    kind: "layerFetched",
    digest,
    index,
    sizeBytes: size,
    cached,
    durationMs: fetched.durationMs,
    source: from,
    receivedBytes,
    sparedBytes,
  });

  const scanned = await scan.finish(path);
  emitScanned(input, index, scanned.index, scanned.cached, scanned.durationMs);
  return scanned;
}

/** Another place of a layer that came in already: each place is reported once. */
function sayAgain(input: LayersInput, layer: LayerIn, index: number): LayerIn {
  const { digest } = layer.blob;
  const sizeBytes = input.image.manifest.layers[index]?.size ?? 0;
  input.emit("fetch", {
    kind: "layerFetched",
    digest,
    index,
    sizeBytes,
    cached: true,
    durationMs: 0,
    source: "cache",
  });
  emitScanned(input, index, layer.index, true, 0);
  return layer;
}

function emitScanned(
  input: LayersInput,
  index: number,
  layer: LayerIndex,
  cached: boolean,
  durationMs: number,
): void {
  const { blobDigest: digest, diffId, inflatedBytes, entries } = layer;
  input.emit("scan", {
    kind: "layerScanned",
    digest,
    diffId,
    index,
    entryCount: entries.length,
    inflatedBytes,
    cached,
    durationMs,
  });
}

/** Each layer was held to the limits while it streamed; together they are held to them here, before a byte is built. */
function checkTotals(layers: readonly LayerIn[], limits: Limits): void {
  const entries = layers.reduce((sum, { index }) => sum + index.entries.length, 0);
  const inflated = layers.reduce((sum, { index }) => sum + index.inflatedBytes, 0);
  if (entries > limits.entries) {
    const message = `the image has ${entries} entries in its layers; the limit is ${limits.entries}`;
    throw new BangerError("LIMIT_ENTRIES", message, { op: "scan layers" });
  }
  if (inflated > limits.inflatedBytes) {
    const message = `the image's layers inflate to ${inflated} bytes; the limit is ${limits.inflatedBytes}`;
    throw new BangerError("LIMIT_INFLATED", message, { op: "scan layers" });
  }
}
