import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";

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

  /** Reads what is left of the blob at `path`, and returns the sum of all of it. Blocks its thread. */
  finish(path: string): number {
    const file = openSync(path, "r");
    try {
      const buffer = Buffer.allocUnsafe(restBytes);
      for (;;) {
        const got = readSync(file, buffer, 0, buffer.length, this.#bytes);
        if (got === 0) return this.#sum;
        this.update(buffer.subarray(0, got));
      }
    } finally {
      closeSync(file);
    }
  }
}
