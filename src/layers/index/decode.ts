import { createHash } from "node:crypto";
import type { ByteString } from "../../base/bytes.ts";
import type { Sliced } from "../../base/slices.ts";
import type { EntryLoss, LayerEntry, LayerIndex, Segment, Timestamp, Xattr } from "../layer-index.ts";
import { noXattrs } from "../tar/xattrs.ts";
import { ByteReader, IndexDefect } from "./byte-reader.ts";
import {
  blobCrc32Tag,
  compressions,
  entryTags,
  footerBytes,
  hashBytes,
  lossKinds,
  lossTag,
  magic,
  version,
  type IndexBinding,
} from "./format.ts";

/** Records between two pauses: about a millisecond. */
const recordsPerSlice = 500;
const hashedPerSlice = 1024 * 1024;

/** Bounds of the fields, as layer-index.ts has them. */
const max = {
  id: 0xffff_ffff,
  mode: 0o7777,
  nanoseconds: 999_999_999,
  major: 0xfff,
  minor: 0xf_ffff,
} as const;

/**
 * Reads the bytes of an index file, which may come from anywhere: every length, range and order is checked.
 *
 * @returns undefined where it is not a whole, right index of that blob, that diffID and this version. It keeps no
 *   part of `file` alive.
 */
export function* decodeIndex(file: Buffer, binding: IndexBinding): Sliced<LayerIndex | undefined> {
  try {
    const { blobDigest, diffId } = binding;
    return yield* decode(file, { blobDigest, diffId });
  } catch (error) {
    if (error instanceof IndexDefect) return undefined;
    throw error;
  }
}

function* decode(file: Buffer, binding: IndexBinding): Sliced<LayerIndex> {
  const bodyEnd = file.length - hashBytes - footerBytes;
  if (bodyEnd < magic.length) throw new IndexDefect("it is too short");
  const body = new ByteReader(file, 0, bodyEnd);
  if (!body.raw(magic.length).equals(magic) || body.u32() !== version)
    throw new IndexDefect("it is of another format");
  const [blobDigest, diffId]: readonly string[] = [body.latin1(), body.latin1()];
  if (blobDigest !== binding.blobDigest || diffId !== binding.diffId)
    throw new IndexDefect("it is of another blob");
  yield* checkHash(file);
  const footer = readFooter(new ByteReader(file, bodyEnd, bodyEnd + footerBytes), bodyEnd);
  const records = new RecordReader(body, footer);
  while (!body.atEnd) {
    for (let i = 0; i < recordsPerSlice && !body.atEnd; i++) records.read();
    yield;
  }
  const { inflatedBytes, compression } = footer;
  return { ...binding, inflatedBytes, compression, ...records.finish() };
}

function* checkHash(file: Buffer): Sliced<undefined> {
  const hash = createHash("sha256");
  const end = file.length - hashBytes;
  for (let at = 0; at < end; at += hashedPerSlice) {
    hash.update(file.subarray(at, Math.min(end, at + hashedPerSlice)));
    yield;
  }
  if (!hash.digest().equals(file.subarray(end))) throw new IndexDefect("its checksum is wrong");
}

type Footer = ReturnType<typeof readFooter>;

function readFooter(footer: ByteReader, bodyBytes: number) {
  const inflatedBytes = footer.f64();
  const [entries, files, losses] = [footer.u32(), footer.u32(), footer.u32()];
  const compression = compressions[footer.u8()];
  if (compression === undefined || !Number.isSafeInteger(inflatedBytes) || inflatedBytes < 0)
    throw new IndexDefect("its footer is wrong");
  // Memory is set aside for the files' hashes, so their number is bounded by what the body can hold.
  if (files > entries || files * hashBytes > bodyBytes)
    throw new IndexDefect("it has fewer files than it says");
  return { inflatedBytes, entries, files, losses, compression };
}

class RecordReader {
  readonly #in: ByteReader;
  readonly #footer: Footer;
  readonly #entries: LayerEntry[] = [];
  readonly #losses: EntryLoss[] = [];
  /** One allocation for all hashes: a million little buffers cost several times their bytes. */
  readonly #hashes: Buffer;
  #files = 0;
  #blobCrc32: number | undefined;
  #mtime: Timestamp = { seconds: 0, nanoseconds: 0 };

  constructor(body: ByteReader, footer: Footer) {
    this.#in = body;
    this.#footer = footer;
    this.#hashes = Buffer.allocUnsafeSlow(footer.files * hashBytes);
  }

  read(): void {
    const tag = this.#in.u8();
    if (tag === lossTag) this.#losses.push(this.#loss());
    else if (tag === blobCrc32Tag && this.#blobCrc32 === undefined) this.#blobCrc32 = this.#in.u32();
    else this.#entries.push(this.#entry(tag));
  }

  finish(): Pick<LayerIndex, "entries" | "losses" | "blobCrc32"> {
    const { entries, files, losses } = this.#footer;
    if (this.#entries.length !== entries || this.#files !== files || this.#losses.length !== losses)
      throw new IndexDefect("it has not as many records as it says");
    if (this.#losses.some(({ entryNumber }) => entryNumber > entries))
      throw new IndexDefect("it has a loss of an entry that it has not");
    return { entries: this.#entries, losses: this.#losses, blobCrc32: this.#blobCrc32 };
  }

  #entry(tag: number): LayerEntry {
    const input = this.#in;
    const kind = entryTags[tag];
    if (kind === undefined) throw new IndexDefect("it has a record of no known kind");
    // Written out, so that all entries of a kind share one hidden class.
    const number = this.#entries.length + 1;
    const path = this.#name("path");
    const mode = input.varint(max.mode);
    const uid = input.varint(max.id);
    const gid = input.varint(max.id);
    const base = { number, path, mode, uid, gid, mtime: this.#time(), xattrs: this.#xattrs() };
    switch (kind) {
      case "file":
        return this.#file(base);
      case "symlink":
      case "hardlink":
        return { kind, ...base, target: this.#name("target") };
      case "character":
      case "block":
        return { kind, ...base, major: input.varint(max.major), minor: input.varint(max.minor) };
      case "directory":
      case "fifo":
        return { kind, ...base };
    }
  }

  #name(what: string): ByteString {
    const name = this.#in.latin1();
    if (name === "" || name.includes("\0")) throw new IndexDefect(`a ${what} is empty or has a NUL`);
    return name;
  }

  /** Shared with the entry before where they are equal, as most are. */
  #time(): Timestamp {
    const seconds = this.#in.f64();
    const nanoseconds = this.#in.u32();
    if (!Number.isSafeInteger(seconds) || Object.is(seconds, -0) || nanoseconds > max.nanoseconds)
      throw new IndexDefect("a time is none");
    if (this.#mtime.seconds !== seconds || this.#mtime.nanoseconds !== nanoseconds)
      this.#mtime = { seconds, nanoseconds };
    return this.#mtime;
  }

  #xattrs(): readonly Xattr[] {
    const count = this.#in.varint(Number.MAX_SAFE_INTEGER);
    if (count === 0) return noXattrs;
    const xattrs: Xattr[] = [];
    let last = "";
    for (let i = 0; i < count; i++) {
      const name = this.#name("xattr's name");
      if (name <= last) throw new IndexDefect("xattrs are out of order");
      last = name;
      xattrs.push({ name, value: this.#in.bytes() });
    }
    return xattrs;
  }

  #file(base: Omit<LayerEntry, "kind">): LayerEntry {
    const input = this.#in;
    const size = input.varint(Number.MAX_SAFE_INTEGER);
    const offset = input.varint(this.#footer.inflatedBytes);
    const storedBytes = input.varint(this.#footer.inflatedBytes - offset);
    const segments = input.u8() === 0 ? undefined : this.#segments(size, storedBytes);
    if (segments === undefined && size !== storedBytes) throw new IndexDefect("a file's size is wrong");
    return { kind: "file", ...base, size, offset, storedBytes, segments, sha256: this.#sha256() };
  }

  #segments(size: number, storedBytes: number): readonly Segment[] {
    const count = this.#in.varint(Number.MAX_SAFE_INTEGER);
    const segments: Segment[] = [];
    let end = 0;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const offset = this.#in.varint(size);
      const length = this.#in.varint(size - offset);
      if (offset < end || length === 0) throw new IndexDefect("a sparse map is out of order");
      end = offset + length;
      total += length;
      segments.push({ offset, length });
    }
    if (total !== storedBytes) throw new IndexDefect("a sparse map has another length than its content");
    return segments;
  }

  #sha256(): Buffer {
    const at = this.#files++ * hashBytes;
    if (at >= this.#hashes.length) throw new IndexDefect("it has more files than it says");
    this.#in.copy(hashBytes, this.#hashes, at);
    return this.#hashes.subarray(at, at + hashBytes);
  }

  #loss(): EntryLoss {
    const kind = lossKinds[this.#in.u8()];
    if (kind === undefined) throw new IndexDefect("it has a loss of no known kind");
    const path = this.#in.latin1();
    const entryNumber = this.#in.varint(Number.MAX_SAFE_INTEGER);
    return { kind, path, entryNumber, detail: this.#in.utf8() };
  }
}
