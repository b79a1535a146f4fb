import { blockBytes } from "../geometry.ts";

/** Blocks gathered for one write: 1 MiB. */
const gathered = 256;
/** Fewer than these are copied out, so that a lone block doesn't hold a whole buffer. */
const fewBlocks = gathered / 4;

/** Bytes, and where in the image they belong. */
export interface QueuedBytes {
  readonly position: number;
  readonly bytes: Buffer;
}

/** Blocks on their way to the disk: filled one by one, neighbours in one piece, to be written by whoever takes them. */
export class BlockQueue {
  #buffer = Buffer.alloc(gathered * blockBytes);
  #first = 0;
  #count = 0;
  #queued = 0;
  #ready: QueuedBytes[] = [];

  /** Bytes queued so far, whether taken or not. */
  get bytesQueued(): number {
    return this.#queued;
  }

  /** An empty block that is to become block `number`: to be filled before the next call of any method. */
  block(number: number): Buffer {
    if (this.#count === gathered || (this.#count > 0 && number !== this.#first + this.#count)) this.flush();
    if (this.#count === 0) this.#first = number;
    const at = this.#count++ * blockBytes;
    return this.#buffer.subarray(at, at + blockBytes);
  }

  /** Ends the piece that is being filled. */
  flush(): void {
    if (this.#count === 0) return;
    const bytes = this.#buffer.subarray(0, this.#count * blockBytes);
    const position = this.#first * blockBytes;
    if (this.#count < fewBlocks) {
      this.#ready.push({ position, bytes: Buffer.from(bytes) });
      bytes.fill(0);
    } else {
      this.#ready.push({ position, bytes });
      this.#buffer = Buffer.alloc(gathered * blockBytes);
    }
    this.#queued += bytes.length;
    this.#count = 0;
  }

  /** What is to be written, in this order; from now on the caller's. */
  takeReady(): readonly QueuedBytes[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }
}
