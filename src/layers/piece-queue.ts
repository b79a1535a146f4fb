import type { Gunzip, ZstdDecompress } from "node:zlib";

/**
 * Bytes of a piece, read and inflated. Node hands each piece to its thread pool and back: at 16 KiB, its default,
 * that costs as much again as inflating; at 1 MiB nothing that can be measured.
 */
export const pieceBytes = 1024 * 1024;

/**
 * Pieces that are kept for a consumer who has something to wait for, before the stream waits too: as much as a thread
 * inflates in a tenth of a second.
 */
const heldPieces = 16;

export interface PieceTaker {
  /** Takes the next piece; where it returns a promise, the piece is its own until that is fulfilled. */
  take(piece: Buffer): void | Promise<void>;
  /** Nothing more is wanted. */
  readonly done: boolean;
}

/**
 * Hands the pieces of an inflating stream on, one after the other. Each is set aside and taken in a microtask, when the
 * stream has already sent the next one to the thread pool: inflating and consuming overlap. A microtask comes before
 * any further event, so little is held.
 */
export class PieceQueue {
  readonly #stream: Gunzip | ZstdDecompress;
  readonly #taker: PieceTaker;
  readonly #waiting: Buffer[] = [];
  readonly #outcome = Promise.withResolvers<void>();
  #isHeld = false;
  #hasEnded = false;

  constructor(stream: Gunzip | ZstdDecompress, taker: PieceTaker) {
    this.#stream = stream;
    this.#taker = taker;
    stream.on("data", (piece: Buffer) => this.#push(piece));
    stream.once("end", () => {
      this.#hasEnded = true;
      this.#drain();
    });
  }

  /** Fulfilled once all is taken that there is, or that is wanted. @throws what taking threw, or the stream failed with */
  get finished(): Promise<void> {
    return this.#outcome.promise;
  }

  /** The stream has failed, or taking did. */
  fail(error: unknown): void {
    this.#waiting.length = 0;
    this.#outcome.reject(error);
    this.#stream.destroy();
  }

  #push(piece: Buffer): void {
    this.#waiting.push(piece);
    if (!this.#isHeld && this.#waiting.length === 1) queueMicrotask(() => this.#drain());
    if (this.#isHeld && this.#waiting.length >= heldPieces) this.#stream.pause();
  }

  #drain(): void {
    try {
      while (!this.#isHeld) {
        const piece = this.#waiting.shift();
        if (piece === undefined) break;
        const taking = this.#taker.take(piece);
        if (taking instanceof Promise) void this.#hold(piece, taking);
        else this.#taken(piece);
      }
    } catch (error) {
      return this.fail(error);
    }
    if (this.#hasEnded && !this.#isHeld) this.#outcome.resolve();
  }

  async #hold(piece: Buffer, taking: Promise<void>): Promise<void> {
    this.#isHeld = true;
    try {
      await taking;
    } catch (error) {
      return this.fail(error);
    }
    this.#isHeld = false;
    this.#taken(piece);
    if (this.#stream.isPaused()) this.#stream.resume();
    this.#drain();
  }

  #taken(piece: Buffer): void {
    giveBack(piece);
    if (!this.#taker.done) return;
    this.#waiting.length = 0;
    this.#outcome.resolve();
    this.#stream.destroy();
  }
}

/**
 * Frees a piece's memory without waiting for the collector, which lets 50 MB and more gather in each thread. The stream
 * has no more use for a buffer that is filled to its end: it has taken a new one by then.
 */
function giveBack({ buffer, byteOffset, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === pieceBytes && byteOffset + length === pieceBytes)
    buffer.transfer(0);
}
