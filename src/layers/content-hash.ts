import { createHash, hash, type Hash } from "node:crypto";

/** sha256 of no bytes at all. */
export const emptySha256: Buffer = hash("sha256", "", "buffer");

/**
 * Hashes one content after the other. Most files are small and whole in one piece; a one-shot hash costs a third
 * of a hash object for those.
 */
export class ContentHash {
  #running: Hash | undefined;

  /** @returns the sha256 once `last` says that the content is whole. */
  add(piece: Buffer, last: boolean): Buffer | undefined {
    if (this.#running === undefined) {
      if (last) return hash("sha256", piece, "buffer");
      this.#running = createHash("sha256");
    }
    this.#running.update(piece);
    if (!last) return undefined;
    const digest = this.#running.digest();
    this.#running = undefined;
    return digest;
  }
}
