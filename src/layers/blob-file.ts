import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { untilArrived } from "../base/arrival.ts";

/** A blob that is still on its way, as a scanning thread is told of it. */
export interface ArrivingBlob {
  /** Open for reading, and that until the thread is done: this process's, whichever thread reads. */
  readonly fd: number;
  /** Bytes that it will have. */
  readonly bytes: number;
  /** How many are there: see `Arrival`. */
  readonly arrival: SharedArrayBuffer;
}

/**
 * A blob, to be read front to back. Reading blocks the thread; waiting for bytes that are still on their way does not.
 */
export class BlobFile implements Disposable {
  /** Of the whole blob, whether they are here or on their way. */
  readonly bytes: number;
  readonly #fd: number;
  readonly #isOwn: boolean;
  readonly #arrival: SharedArrayBuffer | undefined;
  #isClosed = false;

  private constructor(fd: number, bytes: number, arrival: SharedArrayBuffer | undefined) {
    this.#fd = fd;
    this.bytes = bytes;
    this.#isOwn = arrival === undefined;
    this.#arrival = arrival;
  }

  /** One that is whole. Closed by its disposal. */
  static open(path: string): BlobFile {
    const fd = openSync(path, "r");
    return new BlobFile(fd, fstatSync(fd).size, undefined);
  }

  /** One that is on its way. The descriptor stays its owner's to close. */
  static arriving({ fd, bytes, arrival }: ArrivingBlob): BlobFile {
    return new BlobFile(fd, bytes, arrival);
  }

  /** Fills the buffer with what is at `position`, as far as there are bytes. @returns how many; 0 at the end, and once it is closed */
  async read(buffer: Buffer, position: number): Promise<number> {
    if (this.#arrival !== undefined)
      await untilArrived(this.#arrival, Math.min(this.bytes, position + buffer.length));
    // Whoever waited may have been left behind by a failure; the number may be another file's by now.
    if (this.#isClosed) return 0;
    return readSync(this.#fd, buffer, 0, buffer.length, position);
  }

  [Symbol.dispose](): void {
    if (this.#isOwn && !this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }
}
