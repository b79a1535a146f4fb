import { Arrival, type ArrivingFile } from "../base/arrival.ts";

/**
 * Lets others read a download's file behind its writer. They are told of it once, when the first bytes are there; a
 * download that begins anew leaves them behind.
 */
export class ReadingAlong {
  readonly #arrival = new Arrival();
  readonly #over = new AbortController();
  readonly #tell: () => void;
  #isTold = false;

  constructor(path: string, bytes: number, tell: (file: ArrivingFile) => void) {
    const { memory: arrival } = this.#arrival;
    this.#tell = () => tell({ path, bytes, arrival, signal: this.#over.signal });
  }

  /** The file's first `bytes` bytes are written. */
  advance(bytes: number): void {
    if (bytes === 0 || this.#over.signal.aborted) return;
    this.#arrival.advance(bytes);
    if (!this.#isTold) this.#tell();
    this.#isTold = true;
  }

  /** What was written counts for nothing. */
  giveUp(): void {
    if (this.#isTold) this.#over.abort();
  }
}
