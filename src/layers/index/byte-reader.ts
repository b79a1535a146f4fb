import { byteString, type ByteString } from "../../base/bytes.ts";

/** The file is not an index that may be used. Never leaves this folder. */
export class IndexDefect extends Error {
  override readonly name = "IndexDefect";
}

/** Reads what ByteWriter wrote, trusting none of it. Everything is within bounds, or an IndexDefect. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Where the next byte is read. */
  get position(): number {
    return this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#skip(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  /** An integer of at most `max`. */
  varint(max: number): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > max) throw new IndexDefect(`a number is ${value}, more than ${max}`);
        return value;
      }
    }
    throw new IndexDefect("a number does not end");
  }

  /** A view: it keeps the whole file in memory for as long as it lives. */
  raw(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Copies so many bytes to a place in `target`. */
  copy(length: number, target: Buffer, targetStart: number): void {
    const at = this.#skip(length);
    this.#bytes.copy(target, targetStart, at, at + length);
  }

  /** Copied. */
  bytes(): Buffer {
    return Buffer.from(this.raw(this.#length()));
  }

  latin1(): ByteString {
    const length = this.#length();
    const at = this.#skip(length);
    return byteString(this.#bytes, at, at + length);
  }

  utf8(): string {
    return this.raw(this.#length()).toString("utf8");
  }

  #length(): number {
    return this.varint(this.#end - this.#at);
  }

  #skip(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw new IndexDefect("it ends within a record");
    this.#at = at + bytes;
    return at;
  }
}
