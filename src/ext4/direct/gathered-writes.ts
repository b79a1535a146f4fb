import { writeSync } from "node:fs";
import { blockBytes } from "../geometry.ts";

/**
 * Bytes gathered for one write. Most files of an image are a few KiB, and neighbours on the disk: a call for each
 * costs more than its bytes, and past half a MiB a larger one gains nothing.
 */
const gatherBytes = 1024 * 1024;

/** A piece of this many bytes is written from where it is: copying it would cost more than the call saves. */
const directBytes = 128 * 1024;

const zeros = Buffer.alloc(gatherBytes);

/**
 * Writes pieces to their places in an image, many in one call where they follow each other. A file's last block is
 * filled up with zeros on the way to the next file's first. Nothing is written until `flush` or the next gap.
 *
 * Synchronous, for a worker. The descriptor is the caller's. A write that is all zeros is left out: the image is
 * made sparse, and reads the same.
 */
export class GatheredWrites {
  readonly #fd: number;
  readonly #gathered = Buffer.allocUnsafeSlow(gatherBytes);
  /** Where in the image the gathered bytes go, and how many they are. */
  #start = 0;
  #used = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Takes bytes `from` up to `end` of a piece. Blocks must be one file's alone: up to a block between these bytes and the
   * last is taken for the end of one.
   */
  put(bytes: Buffer, position: number, from = 0, end = bytes.length): void {
    this.#closeGap(position);
    for (let done = from; done < end;) {
      done += this.#writeDirectly(bytes, done, end);
      const count = Math.min(gatherBytes - this.#used, end - done);
      bytes.copy(this.#gathered, this.#used, done, done + count);
      this.#used += count;
      done += count;
      if (this.#used === gatherBytes) this.flush();
    }
  }

  /** Makes the gathered bytes end at `position`: by zeros where that is near, else by writing them. */
  #closeGap(position: number): void {
    const gap = position - (this.#start + this.#used);
    if (gap === 0) return;
    if (this.#used > 0 && gap > 0 && gap < blockBytes && this.#used + gap < gatherBytes) {
      this.#gathered.fill(0, this.#used, this.#used + gap);
      this.#used += gap;
      return;
    }
    this.flush();
    this.#start = position;
  }

  /** Whole blocks of a long piece, where none is gathered. The rest stays, so that no block is written twice. */
  #writeDirectly(bytes: Buffer, from: number, end: number): number {
    if (this.#used > 0 || end - from < directBytes) return 0;
    const endPosition = this.#start + end - from;
    const count = endPosition - (endPosition % blockBytes) - this.#start;
    this.#write(bytes.subarray(from, from + count));
    return count;
  }

  flush(): void {
    this.#write(this.#gathered.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Buffer): void {
    // Comparing with zeros ends at the first byte that is none, which is the very first in nearly all pieces.
    const isZero = bytes.length <= zeros.length && bytes.equals(zeros.subarray(0, bytes.length));
    for (let done = isZero ? bytes.length : 0; done < bytes.length;) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#start + done);
    }
    this.#start += bytes.length;
  }
}
