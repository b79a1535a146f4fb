import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { ArrivingFile } from "../base/arrival.ts";
import { hexOf, algorithmOf, type Digest } from "../base/digest.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { BangerError, asBangerError } from "../base/error.ts";
import { makeDir } from "../base/files.ts";
import type { Limits } from "../base/limits.ts";
import { WorkerPool, workerFile } from "../base/workers.ts";
import { EarlyScan } from "./early-scan.ts";
import { loadIndex, temporarySuffix } from "./index/cache.ts";
import { layerFault } from "./layer-fault.ts";
import type { Compression, LayerIndex } from "./layer-index.ts";
import type { LayerBlob, LayerName, ScannedBlob } from "./root-tree.ts";
import type { ScanPool } from "./scan-job.ts";

const op = "scan layer";

/** Threads that scan; whoever makes them disposes of them. */
export function makeScanPool(size?: number): ScanPool {
  return new WorkerPool(workerFile(import.meta.dirname, "scan-worker"), size);
}

/** The same for blobs that are on their way: two more, as each waits for its download now and then. */
export function makeEarlyScanPool(): ScanPool {
  return makeScanPool(availableParallelism() + 2);
}

export interface LayerScannerOptions {
  readonly pool: ScanPool;
  /**
   * Threads for blobs that are still on their way; without them, none is scanned before it is whole. They are others
   * than those of `pool`, as each is held for as long as its download takes.
   */
  readonly earlyPool?: ScanPool;
  /** The folder of cached indexes, `<cache>/oci/indexes`; made where it is missing. */
  readonly indexFolder: string;
  /** `entries` and `inflatedBytes` bound each layer; whoever puts an image together bounds their sum. */
  readonly limits: Limits;
}

export interface ScanOptions {
  /** As the manifest has it: a difference to what the bytes are is listed as a loss. */
  readonly mediaType: string;
  readonly signal: AbortSignal;
  /** Compressed bytes read so far, several times a second. Not called where the index is cached, or was made early. */
  readonly onProgress?: (compressedBytes: number) => void;
  /** What `scanArriving` gave for this blob. */
  readonly early?: EarlyScan | undefined;
}

export interface ScannedLayer {
  readonly blob: ScannedBlob;
  readonly index: LayerIndex;
  /** The index of an earlier scan was used. */
  readonly cached: boolean;
  /** It was scanned while the blob was on its way. */
  readonly isEarly: boolean;
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
    if (known !== undefined)
      return { ...scanned(blob, known, options.mediaType), cached: true, isEarly: false };
    const isEarly = (await options.early?.keep(path)) === true;
    if (!isEarly) await this.#scanInto(path, blob, options);
    const index = await this.#load(path, blob, signal);
    if (index === undefined)
      throw new BangerError("INTERNAL", `the index of layer ${blob.digest} was written and can't be read`, {
        op,
        hint: "Check the disk that holds the cache folder.",
      });
    return { ...scanned(blob, index, options.mediaType), cached: false, isEarly };
  }

  /**
   * Begins to scan a layer while its blob is still on its way. Give the result to `scan` once the blob is verified, and
   * dispose of it in any case.
   *
   * @returns undefined where the layer's index is here already, or nobody scans early.
   */
  scanArriving(layer: LayerName, file: ArrivingFile, signal: AbortSignal): EarlyScan | undefined {
    const { earlyPool: pool, indexFolder, limits } = this.#options;
    const path = indexPath(indexFolder, layer.digest);
    if (pool === undefined || existsSync(path)) return undefined;
    return new EarlyScan({ pool, layer, file, limits, temporaryPath: temporaryBeside(path), signal });
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
    const temporaryPath = temporaryBeside(path);
    try {
      await makeDir(dirname(path));
      await pool.run({ layer: blob, blob: blob.path, limits, temporaryPath }, options);
      await rename(temporaryPath, path);
    } catch (error) {
      await rm(temporaryPath, { force: true });
      throw asBangerError(error, op);
    }
  }
}

function temporaryBeside(path: string): string {
  return `${path}.${randomBytes(6).toString("hex")}${temporarySuffix}`;
}

type BlobIndex = LayerIndex & { readonly blobCrc32: number };

function scanned(blob: LayerBlob, index: BlobIndex, mediaType: string): Pick<ScannedLayer, "blob" | "index"> {
  const { digest, diffId, path } = blob;
  return {
    blob: { digest, diffId, path, crc32: index.blobCrc32 },
    index: withMediaType(index, mediaType),
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
