import { BangerError, asBangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { WorkerPool, workerFile } from "../../base/workers.ts";
import type { ScannedBlob } from "../../layers/root-tree.ts";
import { runCount, sourceEnd, type PackedRuns } from "./content-runs.ts";
import type { ContentJob, ContentProgress } from "./content-worker.ts";

export type ContentPool = WorkerPool<ContentJob, null, ContentProgress>;

/** What they make and drop is small: contents lie outside of the heap. */
const threadLimits = { maxYoungGenerationSizeMb: 2 };

/** Threads that write contents; whoever makes them disposes of them. */
export function contentPool(size: number): ContentPool {
  return new WorkerPool(workerFile(import.meta.dirname, "content-worker"), size, threadLimits);
}

export interface ContentContext {
  /** The image: there, as long as it will be, and reading as zeros. */
  readonly target: string;
  readonly layers: readonly ScannedBlob[];
  readonly limits: Limits;
  readonly pool: ContentPool;
  readonly signal: AbortSignal;
  /** Bytes of content written so far, of all layers together. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Inflates each layer that has live contents once, several at a time, and writes those to their places. What goes where
 * follows from the runs alone, so neither the number of threads nor the order in which they finish matters. The first
 * failure stops all; once this settles none of them writes any more.
 *
 * Each blob's checksum is taken on the way and compared with that of what was scanned.
 *
 * @throws BangerError LAYER_INVALID or DIFFID_MISMATCH where a blob is not what was scanned, DISK_FULL, CANCELLED.
 */
export async function writeContents(
  runsByLayer: readonly PackedRuns[],
  context: ContentContext,
): Promise<void> {
  const { target, limits, pool, signal } = context;
  let bytes = 0;
  const onProgress = (more: ContentProgress): void => {
    bytes += more;
    context.onBytes(bytes);
  };
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: unknown;
  const write = async ({ layer, runs }: LayerRuns): Promise<void> => {
    const { path: blob, digest, crc32 } = layer;
    const job = { blob, layer: digest, crc32, target, runs, limits };
    try {
      await pool.run(job, { signal: either, onProgress });
    } catch (error) {
      failure ??= error;
      stop.abort(error);
    }
  };
  await Promise.all(longestFirst(runsByLayer, context.layers).map(write));
  if (failure !== undefined) throw asBangerError(failure, "write contents");
}

interface LayerRuns {
  readonly layer: ScannedBlob;
  readonly runs: PackedRuns;
}

/** So that no thread is left alone with a long one at the end. */
function longestFirst(
  runsByLayer: readonly PackedRuns[],
  layers: readonly ScannedBlob[],
): readonly LayerRuns[] {
  const live: LayerRuns[] = [];
  for (const [number, runs] of runsByLayer.entries()) {
    if (runCount(runs) === 0) continue;
    const layer = layers[number];
    if (layer === undefined) {
      throw new BangerError("INTERNAL", `the tree refers to layer ${number}, which is not there`, {
        op: "write contents",
      });
    }
    live.push({ layer, runs });
  }
  return live.sort((a, b) => sourceEnd(b.runs) - sourceEnd(a.runs));
}
