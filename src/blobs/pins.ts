import type { Digest } from "../base/digest.ts";

/**
 * What must stay in the cache because somebody in this process works with it. Pinning and asking are synchronous: who
 * pins first and then looks whether a blob is there, and who asks and removes without a pause in between, never miss
 * each other.
 */
export class CachePins {
  readonly #counts = new Map<Digest, number>();

  /** Pins until what is returned is disposed of. Pins of several add up. */
  pin(digests: Iterable<Digest>): Disposable {
    let mine = [...new Set(digests)];
    for (const digest of mine) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const digest of mine) this.#release(digest);
        mine = [];
      },
    };
  }

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  #release(digest: Digest): void {
    const count = this.#counts.get(digest) ?? 0;
    if (count > 1) this.#counts.set(digest, count - 1);
    else this.#counts.delete(digest);
  }
}
