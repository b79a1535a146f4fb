import type { FileHandle } from "node:fs/promises";
import { Digester, algorithmOf } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import { giveBack } from "../base/give-back.ts";
import { writeWhole } from "../base/write-whole.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { ReadingAlong } from "./reading-along.ts";
import type { WriteBehind } from "./write-behind.ts";

const op = "store blob";
const readBytes = 1024 * 1024;

/** A socket gives 64 KiB at a time: a few of them cost one call. A process that is killed loses at most two batches. */
const batchBytes = 256 * 1024;
/** Each piece, however small, may hold 64 KiB of memory until it is written; IOV_MAX is 1,024. */
const batchPieces = 64;
/** What is gathered is lost where the process is killed: on a slow line nothing is held back longer than this. */
const batchMs = 100;
/** Bytes that are worth a sync of their own while the download goes on. */
const syncBytes = 8 * 1024 * 1024;

/**
 * Writes a blob's bytes from front to back, hashing and counting them as they come. They are gathered and written
 * while the next ones are awaited, so that `flush` has to be called before anyone else may look at the file. Does not
 * own the file.
 */
export class BlobWriter {
  readonly #file: FileHandle;
  readonly #descriptor: Descriptor;
  #digester: Digester;
  #length = 0;
  #received = 0;
  #spared = 0;
  #pieced = false;
  #batch: Uint8Array[] = [];
  #batchLength = 0;
  #writing: Promise<void> = Promise.resolve();
  #sentAt = 0;
  readonly #writeBehind: WriteBehind;
  readonly #reading: ReadingAlong;
  #syncing: Promise<void> = Promise.resolve();
  #syncedLength = 0;

  private constructor(
    file: FileHandle,
    descriptor: Descriptor,
    writeBehind: WriteBehind,
    reading: ReadingAlong,
  ) {
    this.#file = file;
    this.#writeBehind = writeBehind;
    this.#reading = reading;
    this.#descriptor = descriptor;
    this.#digester = new Digester(algorithmOf(descriptor.digest));
  }

  /** Goes on after the bytes that the file holds already. */
  static async resume(
    file: FileHandle,
    descriptor: Descriptor,
    writeBehind: WriteBehind,
    reading: ReadingAlong,
    signal: AbortSignal,
  ): Promise<BlobWriter> {
    const writer = new BlobWriter(file, descriptor, writeBehind, reading);
    const { size } = await file.stat();
    if (size > descriptor.size) await writer.reset();
    else await writer.#hashKept(size, signal);
    writer.markSeam();
    reading.advance(writer.length);
    return writer;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that were written, those that were forgotten since among them; not those that were there at the start. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that needn't come again, as answers went on where the one before broke off. */
  get spared(): number {
    return this.isFull && this.#received === 0 ? this.#length : this.#spared;
  }

  get isFull(): boolean {
    return this.#length === this.#descriptor.size;
  }

  /** Whether the bytes come from more than one answer, so that a mismatch may be the seam's fault. */
  get isPieced(): boolean {
    return this.#pieced;
  }

  /** Says that what is there is from another answer than what comes next, or from an earlier life. */
  markSeam(): void {
    if (this.#length > 0) this.#pieced = true;
  }

  /** An answer begins that goes on after what is there. */
  goOn(): void {
    this.markSeam();
    this.#spared += this.#length;
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    this.#batch = [];
    this.#batchLength = 0;
    await this.#writing;
    if (this.#length > 0) this.#reading.giveUp();
    await this.#file.truncate(0);
    this.#length = 0;
    this.#syncedLength = 0;
    this.#pieced = false;
    this.#digester = new Digester(algorithmOf(this.#descriptor.digest));
  }

  /**
   * Takes the piece, whose memory is freed once it is written.
   *
   * @throws BangerError SIZE_MISMATCH where the piece goes past the blob's size; nothing of it is written then
   */
  async write(piece: Uint8Array): Promise<void> {
    const { digest, size } = this.#descriptor;
    if (this.#length + piece.length > size) {
      throw new BangerError("SIZE_MISMATCH", `blob ${digest} is longer than its ${size} bytes`, {
        op,
        facts: { digest },
      });
    }
    this.#digester.update(piece);
    this.#batch.push(piece);
    this.#batchLength += piece.length;
    this.#length += piece.length;
    this.#received += piece.length;
    const full = this.#batchLength >= batchBytes || this.#batch.length >= batchPieces;
    if (full || performance.now() - this.#sentAt >= batchMs) await this.#send();
  }

  /** Returns once all bytes so far are the file's. @throws what the system said of any write since the last time */
  async flush(): Promise<void> {
    await this.#send();
    await this.#writing;
    await this.#syncing;
  }

  /** Begins to write what was gathered, once what was gathered before is written. */
  async #send(): Promise<void> {
    await this.#writing;
    this.#sentAt = performance.now();
    if (this.#batchLength === 0) return;
    this.#syncBehind(this.#length - this.#batchLength);
    this.#writing = this.#write(this.#batch, this.#length - this.#batchLength);
    this.#writing.catch(() => {
      // Whoever writes or flushes next is told.
    });
    this.#batch = [];
    this.#batchLength = 0;
  }

  async #write(pieces: readonly Uint8Array[], start: number): Promise<void> {
    const end = await writeWhole(this.#file, pieces, start);
    pieces.forEach(release);
    this.#reading.advance(end);
  }

  #syncBehind(written: number): void {
    if (written - this.#syncedLength < syncBytes) return;
    const syncing = this.#writeBehind.start(this.#file);
    if (syncing === undefined) return;
    this.#syncedLength = written;
    this.#syncing = Promise.all([this.#syncing, syncing]).then(() => undefined);
    this.#syncing.catch(() => {
      // Whoever flushes is told.
    });
  }

  /**
   * Ends the hash; only `reset` may follow.
   *
   * @param from host, folder or file that the last bytes came from
   * @throws BangerError DIGEST_MISMATCH
   */
  verify(from: string | undefined): void {
    const { digest } = this.#descriptor;
    const actual = this.#digester.digest();
    if (actual === digest) return;
    throw new BangerError("DIGEST_MISMATCH", `blob ${digest} came with the content of ${actual}`, {
      op,
      facts: { digest, actual, ...(from === undefined ? {} : { from }) },
      ...(from === undefined
        ? {}
        : {
            hint: `Pull again; if it stays, what ${from} has is damaged, and must be pushed or written anew.`,
          }),
    });
  }

  async #hashKept(size: number, signal: AbortSignal): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, Math.max(size, 1)));
    while (this.#length < size) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#length);
      if (bytesRead === 0) break;
      this.#digester.update(buffer.subarray(0, bytesRead));
      this.#length += bytesRead;
    }
  }
}

/** What shares its buffer with others is the collector's. */
function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer.byteLength === byteLength) giveBack(buffer);
}
