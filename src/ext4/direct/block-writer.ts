import { writeSync } from "node:fs";
import { blockBytes } from "../geometry.ts";

/** Blocks gathered for one write: 4 MiB, a millisecond or two. */
const gathered = 1024;

/** Writes blocks to a file, neighbours in one go. Whoever uses it calls `flush` at the end. */
export class BlockWriter {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(gathered * blockBytes);
  #first = 0;
  #count = 0;
  #written = 0;

  /** The descriptor stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Bytes handed to the system so far. */
  get bytesWritten(): number {
    return this.#written;
  }

  /** An empty block that is to become block `number`: to be filled before the next call of any method. */
  block(number: number): Buffer {
    if (this.#count === gathered || (this.#count > 0 && number !== this.#first + this.#count)) this.flush();
    if (this.#count === 0) this.#first = number;
    const at = this.#count++ * blockBytes;
    return this.#buffer.subarray(at, at + blockBytes);
  }

  flush(): void {
    const length = this.#count * blockBytes;
    const start = this.#first * blockBytes;
    for (let done = 0; done < length;) {
      done += writeSync(this.#fd, this.#buffer, done, length - done, start + done);
    }
    this.#buffer.fill(0, 0, length);
    this.#written += length;
    this.#count = 0;
  }
}
