import { createHash } from "node:crypto";

const chunkBytes = 256 * 1024;

/** Gathers bytes into chunks, hands each on when it is full, and hashes all of them. */
export class ByteWriter {
  readonly #write: (chunk: Buffer) => void;
  readonly #hash = createHash("sha256");
  #chunk = Buffer.allocUnsafe(chunkBytes);
  #used = 0;

  /** @param write is handed chunks, which are its only until it returns. */
  constructor(write: (chunk: Buffer) => void) {
    this.#write = write;
  }

  u8(value: number): void {
    this.#chunk.writeUInt8(value, this.#room(1));
  }

  u32(value: number): void {
    this.#chunk.writeUInt32LE(value, this.#room(4));
  }

  f64(value: number): void {
    this.#chunk.writeDoubleLE(value, this.#room(8));
  }

  /** A non-negative safe integer, seven bits a byte, lowest first. */
  varint(value: number): void {
    let at = this.#room(8);
    let rest = value;
    while (rest > 0x7f) {
      this.#chunk[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#chunk[at++] = rest;
    this.#used = at;
  }

  /** Bytes as they are. */
  raw(bytes: Buffer): void {
    if (bytes.length <= chunkBytes) {
      const at = this.#room(bytes.length);
      bytes.copy(this.#chunk, at);
      return;
    }
    this.#flush();
    this.#send(bytes);
  }

  /** Bytes with their length before them. */
  bytes(bytes: Buffer): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A text of one-byte characters, with its length before it. */
  latin1(text: string): void {
    this.varint(text.length);
    if (text.length > chunkBytes) return this.raw(Buffer.from(text, "latin1"));
    const at = this.#room(text.length);
    this.#chunk.write(text, at, "latin1");
  }

  /** Adds the sha256 of all that was written, and hands on what is left. Call once, at the end. */
  seal(): void {
    this.#flush();
    this.#write(this.#hash.digest());
  }

  /** Makes room for so many bytes, counts them as used, and says where they begin. */
  #room(bytes: number): number {
    if (this.#used + bytes > chunkBytes) this.#flush();
    const at = this.#used;
    this.#used += bytes;
    return at;
  }

  #flush(): void {
    this.#send(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }

  #send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#hash.update(bytes);
    this.#write(bytes);
  }
}
