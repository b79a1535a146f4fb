/**
 * Hands values from a callback to a reader that may be slower: it gets the newest, and misses those between. Each read
 * waits for one that it has not had; ending ends the reader once it has had the last.
 */
export class Latest<T> implements AsyncIterable<T> {
  #next: { readonly value: T } | undefined;
  #ended = false;
  #wake: () => void = () => {};

  set(value: T): void {
    this.#next = { value };
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** For one reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const next = this.#next;
      this.#next = undefined;
      if (next !== undefined) yield next.value;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
