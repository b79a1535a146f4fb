import type { FileHandle } from "node:fs/promises";
import { Digester, algorithmOf } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Descriptor } from "../oci/descriptor.ts";

const op = "store blob";
const readBytes = 1024 * 1024;

/** Writes a blob's bytes from front to back, hashing and counting what it writes. Does not own the file. */
export class BlobWriter {
  readonly #file: FileHandle;
  readonly #descriptor: Descriptor;
  #digester: Digester;
  #length = 0;
  #pieced = false;

  private constructor(file: FileHandle, descriptor: Descriptor) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.#digester = new Digester(algorithmOf(descriptor.digest));
  }

  /** Goes on after the bytes that the file holds already. */
  static async resume(file: FileHandle, descriptor: Descriptor, signal: AbortSignal): Promise<BlobWriter> {
    const writer = new BlobWriter(file, descriptor);
    const { size } = await file.stat();
    if (size > descriptor.size) await writer.reset();
    else await writer.#hashKept(size, signal);
    writer.markSeam();
    return writer;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
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

  /** Forgets everything. */
  async reset(): Promise<void> {
    await this.#file.truncate(0);
    this.#length = 0;
    this.#pieced = false;
    this.#digester = new Digester(algorithmOf(this.#descriptor.digest));
  }

  /** @throws BangerError SIZE_MISMATCH where the piece goes past the blob's size; nothing of it is written then */
  async write(piece: Uint8Array): Promise<void> {
    const { digest, size } = this.#descriptor;
    if (this.#length + piece.length > size) {
      throw new BangerError("SIZE_MISMATCH", `blob ${digest} is longer than its ${size} bytes`, {
        op,
        facts: { digest },
      });
    }
    const written = writeWhole(this.#file, piece, this.#length);
    this.#digester.update(piece);
    await written;
    this.#length += piece.length;
  }

  /** Ends the hash; only `reset` may follow. @throws BangerError DIGEST_MISMATCH */
  verify(): void {
    const { digest } = this.#descriptor;
    const actual = this.#digester.digest();
    if (actual === digest) return;
    throw new BangerError("DIGEST_MISMATCH", `blob ${digest} came with the content of ${actual}`, {
      op,
      facts: { digest, actual },
      hint: "Try again; if it stays, the registry's copy is damaged and must be pushed again.",
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

/** write(2) may take less than it is given. */
async function writeWhole(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length;) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done, position + done);
    done += bytesWritten;
  }
}
