import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import type { Digest } from "../base/digest.ts";
import { messageOf } from "../base/error.ts";
import { giveBack } from "../base/give-back.ts";
import type { Limits } from "../base/limits.ts";
import type { BlobFile } from "./blob-file.ts";
import { layerFault } from "./layer-fault.ts";
import type { Compression } from "./layer-index.ts";

/**
 * Bytes of a piece, read and inflated. Node hands each piece to its thread pool and back: at 16 KiB, its default,
 * that costs as much again as inflating; at 1 MiB nothing that can be measured.
 */
const pieceBytes = 1024 * 1024;

export interface InflateOptions {
  /** Names the layer in errors. */
  readonly layer: Digest;
  readonly limits: Pick<Limits, "inflatedBytes" | "inflateRatio" | "ratioFreeBytes" | "zstdWindowLog">;
  /** Compressed bytes read so far; called for each piece. */
  readonly onProgress?: (compressedBytes: number) => void;
  /**
   * Each piece of the blob as it is read, in order and from its beginning; the caller's only until it returns. What
   * follows the compressed data, or `until`, may not come.
   */
  readonly onRead?: (compressed: Buffer) => void;
  /**
   * So many inflated bytes are all that is wanted: the rest is not inflated, nor is any checksum at its end looked at.
   * Without it, everything.
   */
  readonly until?: number;
}

export interface Inflated {
  /** What the bytes are, whatever a media type says. */
  readonly compression: Compression;
  readonly inflatedBytes: number;
}

/** Takes inflated bytes in order. The piece is the consumer's only until it returns. Throwing stops the work. */
export type PieceConsumer = (piece: Buffer) => void;

/**
 * Reads a blob through, inflates it by what its first bytes are (gzip, zstd, or neither), and hands every
 * inflated byte to `consume`. Meant for a worker: reading blocks the thread, but for bytes that are still on their way. The next piece inflates on Node's
 * thread pool while `consume` is at work on the last one, and at most two pieces of input and a few of output
 * are held, however slow `consume` is.
 *
 * Several gzip members or zstd frames are one stream (RFC 1952 section 2.2, RFC 8878 section 3.1), and their checksums are
 * verified. After the last gzip member zeros are padding, as gzip(1) has it; anything else is refused.
 *
 * @throws BangerError LAYER_INVALID, LIMIT_INFLATED, LIMIT_RATIO, or whatever `consume` threw.
 */
export async function inflateLayer(
  blob: BlobFile,
  options: InflateOptions,
  consume: PieceConsumer,
): Promise<Inflated> {
  if (blob.bytes === 0) throw refused(options, "blob-empty", "the blob has no bytes");
  const compression = await detectCompression(blob);
  const meter = new InflateMeter(options, blob.bytes, consume);
  const { onProgress = () => {}, onRead = () => {} } = options;
  const source: BlobSource = { blob, onProgress, onRead };
  if (compression === "none") await copyThrough(source, meter);
  else await inflateThrough(source, compression, options, meter);
  return { compression, inflatedBytes: meter.inflatedBytes };
}

interface BlobSource {
  readonly blob: BlobFile;
  readonly onProgress: (compressedBytes: number) => void;
  readonly onRead: (compressed: Buffer) => void;
}

/** RFC 1952 section 2.3.1, RFC 8878 sections 3.1.1 and 3.1.2: a zstd stream may begin with a skippable frame. */
async function detectCompression(blob: BlobFile): Promise<Compression> {
  const magic = Buffer.alloc(4);
  const got = await blob.read(magic, 0);
  if (got >= 2 && magic.readUInt16BE(0) === 0x1f8b) return "gzip";
  if (got === 4) {
    const word = magic.readUInt32LE(0);
    if (word === 0xfd2fb528 || (word & 0xfffffff0) >>> 0 === 0x184d2a50) return "zstd";
  }
  return "none";
}

/** Counts what goes by, and stops a bomb before the consumer sees what is too much. */
class InflateMeter {
  inflatedBytes = 0;
  readonly #options: InflateOptions;
  readonly #ratioBytes: number;
  readonly #consume: PieceConsumer;

  constructor(options: InflateOptions, blobBytes: number, consume: PieceConsumer) {
    const { inflateRatio, ratioFreeBytes } = options.limits;
    this.#options = options;
    // The whole blob's size counts, not what has been read of it: zeros before random data are no bomb.
    this.#ratioBytes = Math.max(ratioFreeBytes, inflateRatio * blobBytes);
    this.#consume = consume;
  }

  /** All that is wanted is here, though the stream may go on. */
  get done(): boolean {
    const { until } = this.#options;
    return until !== undefined && this.inflatedBytes >= until;
  }

  take(piece: Buffer): void {
    this.inflatedBytes += piece.length;
    const { layer, limits } = this.#options;
    const place = { layer, entry: undefined, name: undefined };
    if (this.inflatedBytes > limits.inflatedBytes) {
      const what = `it inflates to more than the ${limits.inflatedBytes} bytes that are allowed`;
      throw layerFault("LIMIT_INFLATED", "inflated-bytes", what, place);
    }
    if (this.inflatedBytes > this.#ratioBytes) {
      const what = `it inflates to more than ${limits.inflateRatio} times its size`;
      throw layerFault("LIMIT_RATIO", "inflate-ratio", what, place);
    }
    this.#consume(piece);
  }
}

async function copyThrough(source: BlobSource, meter: InflateMeter): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, source.blob.bytes));
  for (let read = 0; ;) {
    const got = await source.blob.read(buffer, read);
    if (got === 0) return;
    read += got;
    source.onProgress(read);
    const piece = buffer.subarray(0, got);
    source.onRead(piece);
    meter.take(piece);
    if (meter.done) return;
  }
}

async function inflateThrough(
  source: BlobSource,
  compression: "gzip" | "zstd",
  options: InflateOptions,
  meter: InflateMeter,
): Promise<void> {
  const stream = makeInflater(compression, options);
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>();
  // A piece is set aside here and consumed in a microtask, when the stream has already sent the next one to the
  // thread pool: inflating and consuming overlap. A microtask comes before any further event, so little is held.
  const waiting: Buffer[] = [];
  const drain = (): void => {
    try {
      for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) {
        meter.take(piece);
        release(piece);
        if (!meter.done) continue;
        waiting.length = 0;
        resolve();
        stream.destroy();
      }
    } catch (error) {
      waiting.length = 0;
      reject(error);
      stream.destroy();
    }
  };
  stream.on("data", (piece: Buffer) => {
    if (waiting.push(piece) === 1) queueMicrotask(drain);
  });
  stream.once("end", () => {
    drain();
    resolve();
  });
  stream.once("error", (error) => reject(inflateFault(compression, options, error)));
  try {
    await Promise.race([feed(source, stream), finished]);
    await finished;
    if (!meter.done) await checkRest(source.blob, stream.bytesWritten, compression, options);
  } finally {
    stream.destroy();
  }
}

/** The stream has no more use for a buffer that is filled to its end: it has taken a new one by then. */
function release({ buffer, byteOffset, length }: Buffer): void {
  if (buffer.byteLength === pieceBytes && byteOffset + length === pieceBytes) giveBack(buffer);
}

/** Writes the blob to the stream, two pieces ahead at most. Never settles once the stream has failed. */
async function feed(source: BlobSource, stream: Gunzip | ZstdDecompress): Promise<void> {
  const size = Math.min(pieceBytes, source.blob.bytes);
  const slots = [
    { buffer: Buffer.allocUnsafe(size), free: Promise.resolve() },
    { buffer: Buffer.allocUnsafe(size), free: Promise.resolve() },
  ];
  for (let read = 0; ;) {
    for (const slot of slots) {
      await slot.free;
      const got = await source.blob.read(slot.buffer, read);
      if (stream.destroyed) return;
      if (got === 0) return void stream.end();
      read += got;
      source.onProgress(read);
      source.onRead(slot.buffer.subarray(0, got));
      const { promise, resolve } = Promise.withResolvers<void>();
      slot.free = promise;
      stream.write(slot.buffer.subarray(0, got), () => resolve());
    }
  }
}

function makeInflater(compression: "gzip" | "zstd", options: InflateOptions): Gunzip | ZstdDecompress {
  if (compression === "gzip") return createGunzip({ chunkSize: pieceBytes });
  return createZstdDecompress({
    chunkSize: pieceBytes,
    rejectGarbageAfterEnd: true,
    params: { [constants.ZSTD_d_windowLogMax]: options.limits.zstdWindowLog },
  });
}

/** The stream ends where the compressed data does, and says how far that was. */
async function checkRest(
  blob: BlobFile,
  consumed: number,
  compression: "gzip" | "zstd",
  options: InflateOptions,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  for (let at = consumed; at < blob.bytes;) {
    const got = await blob.read(buffer, at);
    if (got === 0) return;
    const padding = compression === "gzip" && buffer.subarray(0, got).every((byte) => byte === 0);
    if (!padding) {
      const what = `something that is neither ${compression} nor padding follows its compressed data`;
      throw refused(options, "trailing-garbage", what);
    }
    at += got;
  }
}

function inflateFault(compression: "gzip" | "zstd", options: InflateOptions, cause: Error): Error {
  return refused(
    options,
    compression,
    `its ${compression} data does not inflate: ${messageOf(cause)}`,
    cause,
  );
}

function refused(options: InflateOptions, rule: string, what: string, cause?: Error): Error {
  return layerFault(
    "LAYER_INVALID",
    rule,
    what,
    { layer: options.layer, entry: undefined, name: undefined },
    cause,
  );
}
