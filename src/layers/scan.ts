import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hexOf, algorithmOf, type Digest } from "../base/digest.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { BangerError, asBangerError } from "../base/error.ts";
import { makeDir } from "../base/files.ts";
import type { Limits } from "../base/limits.ts";
import { WorkerPool, workerFile } from "../base/workers.ts";
import { loadIndex, temporarySuffix } from "./index/cache.ts";
import { layerFault } from "./layer-fault.ts";
import type { Compression, LayerIndex } from "./layer-index.ts";
import type { LayerBlob, ScannedBlob } from "./root-tree.ts";
import type { ScanJob, ScanJobProgress, ScanJobResult } from "./scan-job.ts";

const op = "scan layer";

export type ScanPool = WorkerPool<ScanJob, ScanJobResult, ScanJobProgress>;

/** Threads that scan; whoever makes them disposes of them. */
export function makeScanPool(size?: number): ScanPool {
  return new WorkerPool(workerFile(import.meta.dirname, "scan-worker"), size);
}

export interface LayerScannerOptions {
  readonly pool: ScanPool;
  /** The folder of cached indexes, `<cache>/oci/indexes`; made where it is missing. */
  readonly indexFolder: string;
  /** `entries` and `inflatedBytes` bound each layer; whoever puts an image together bounds their sum. */
  readonly limits: Limits;
}

export interface ScanOptions {
  /** As the manifest has it: a difference to what the bytes are is listed as a loss. */
  readonly mediaType: string;
  readonly signal: AbortSignal;
  /** Compressed bytes read so far, several times a second. Not called where the index is cached. */
  readonly onProgress?: (compressedBytes: number) => void;
}

export interface ScannedLayer {
  readonly blob: ScannedBlob;
  readonly index: LayerIndex;
  /** The index of an earlier scan was used. */
  readonly cached: boolean;
}

/** Where the index of a blob is kept. */
export function indexPath(indexFolder: string, blobDigest: Digest): string {
  return join(indexFolder, algorithmOf(blobDigest), hexOf(blobDigest));
}

/** Turns verified blobs into indexes: from the cache, or by a scan on the pool, which then fills the cache. */
export class LayerScanner {
  readonly #options: LayerScannerOptions;

  constructor(options: LayerScannerOptions) {
    this.#options = options;
  }

  /**
   * The index of a layer. Idempotent; two scans of one blob at once do no harm. Aborting leaves nothing behind.
   *
   * @throws BangerError LAYER_INVALID, LAYER_UNSAFE, DIFFID_MISMATCH, LIMIT_*, CANCELLED, or of the file system.
   */
  async scan(blob: LayerBlob, options: ScanOptions): Promise<ScannedLayer> {
    const { signal } = options;
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const path = indexPath(this.#options.indexFolder, blob.digest);
    const known = await this.#load(path, blob, signal);
    if (known !== undefined) return scanned(blob, known, options.mediaType, true);
    await this.#scanInto(path, blob, options);
    const index = await this.#load(path, blob, signal);
    if (index === undefined)
      throw new BangerError("INTERNAL", `the index of layer ${blob.digest} was written and can't be read`, {
        op,
        hint: "Check the disk that holds the cache folder.",
      });
    return scanned(blob, index, options.mediaType, false);
  }

  async #load(path: string, blob: LayerBlob, signal: AbortSignal): Promise<BlobIndex | undefined> {
    const { limits } = this.#options;
    const index = await loadIndex(path, blob.digest, blob.diffId, limits, signal);
    // Earlier versions kept no checksum of the blob: without one nobody would see it decay.
    if (index?.blobCrc32 === undefined) return undefined;
    checkLimits(index, limits);
    return { ...index, blobCrc32: index.blobCrc32 };
  }

  async #scanInto(path: string, blob: LayerBlob, options: ScanOptions): Promise<void> {
    const { pool, limits } = this.#options;
    const temporaryPath = `${path}.${randomBytes(6).toString("hex")}${temporarySuffix}`;
    try {
      await makeDir(dirname(path));
      await pool.run({ blob, limits, indexPath: path, temporaryPath }, options);
    } catch (error) {
      await rm(temporaryPath, { force: true });
      throw asBangerError(error, op);
    }
  }
}

type BlobIndex = LayerIndex & { readonly blobCrc32: number };

function scanned(blob: LayerBlob, index: BlobIndex, mediaType: string, cached: boolean): ScannedLayer {
  const { digest, diffId, path } = blob;
  return {
    blob: { digest, diffId, path, crc32: index.blobCrc32 },
    index: withMediaType(index, mediaType),
    cached,
  };
}

/** A cached index was made under the limits of its day. */
function checkLimits(index: LayerIndex, limits: Limits): void {
  const place = { layer: index.blobDigest, entry: undefined, name: undefined };
  if (index.entries.length > limits.entries)
    throw layerFault("LIMIT_ENTRIES", "limit-entries", `it has more than ${limits.entries} entries`, place);
  if (index.inflatedBytes > limits.inflatedBytes) {
    const what = `it inflates to more than the ${limits.inflatedBytes} bytes that are allowed`;
    throw layerFault("LIMIT_INFLATED", "inflated-bytes", what, place);
  }
}

/** What the bytes are decides; the media type is only compared with it. Not cached: it is the manifest's. */
function withMediaType(index: LayerIndex, mediaType: string): LayerIndex {
  const said = compressionOf(mediaType);
  if (said === undefined || said === index.compression) return index;
  const detail = `its media type, ${mediaType}, says ${said}, and its bytes are ${index.compression}`;
  const loss = { kind: "MEDIA_TYPE_DIFFERS", path: utf8Bytes(""), entryNumber: 0, detail } as const;
  return { ...index, losses: [...index.losses, loss] };
}

/** OCI image-spec, media-types.md; Docker's layers without a suffix of their own are `.tar` or `.tar.gzip`. */
function compressionOf(mediaType: string): Compression | undefined {
  if (/[+.]gzip$/.test(mediaType)) return "gzip";
  if (/[+.]zstd$/.test(mediaType)) return "zstd";
  return mediaType.endsWith(".tar") ? "none" : undefined;
}
