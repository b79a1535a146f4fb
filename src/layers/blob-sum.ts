import { crc32 } from "node:zlib";
import type { BlobFile } from "./blob-file.ts";

/** Read at a time of what nobody else has read: little, mostly, as reading runs ahead of inflating. */
const restBytes = 64 * 1024;

/**
 * The CRC-32 (RFC 1952 section 8) of a blob, taken while somebody reads it. The index of a layer keeps that of the bytes that were
 * scanned, and whoever inflates the blob again compares: an index may be months older than what the cache's disk has
 * made of its blob since. Against decay, not against forgery: the digest was verified when the blob came, and the
 * folder is the daemon's alone. A twentieth of what the digest costs.
 */
export class BlobSum {
  #sum = 0;
  #bytes = 0;

  /** Takes the next piece of the blob. */
  update(piece: Buffer): void {
    this.#sum = crc32(piece, this.#sum);
    this.#bytes += piece.length;
  }

  /** Reads what is left of the blob, and returns the sum of all of it. */
  async finish(blob: BlobFile): Promise<number> {
    const buffer = Buffer.allocUnsafe(restBytes);
    for (;;) {
      const got = await blob.read(buffer, this.#bytes);
      if (got === 0) return this.#sum;
      this.update(buffer.subarray(0, got));
    }
  }
}
