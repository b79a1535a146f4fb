import { BangerError } from "../../base/error.ts";
import type { EntryLoss, FileEntry, LayerEntry, LayerIndex } from "../layer-index.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  blobCrc32Tag,
  compressions,
  entryTags,
  lossKinds,
  lossTag,
  magic,
  version,
  type IndexBinding,
} from "./format.ts";

/** Writes an index record by record, so that whoever scans never holds it. */
export class IndexEncoder {
  readonly #out: ByteWriter;
  #entries = 0;
  #files = 0;
  #losses = 0;

  /** @param write is handed chunks of the file in order, which are its only until it returns. */
  constructor(binding: IndexBinding, write: (chunk: Buffer) => void) {
    this.#out = new ByteWriter(write);
    this.#out.raw(magic);
    this.#out.u32(version);
    this.#out.latin1(binding.blobDigest);
    this.#out.latin1(binding.diffId);
  }

  get entries(): number {
    return this.#entries;
  }

  entry(entry: LayerEntry): void {
    const out = this.#out;
    this.#entries++;
    if (entry.number !== this.#entries)
      throw new BangerError("INTERNAL", `entry ${entry.number} follows entry ${this.#entries - 1}`, {
        op: "write layer index",
      });
    out.u8(entryTags.indexOf(entry.kind));
    out.latin1(entry.path);
    out.varint(entry.mode);
    out.varint(entry.uid);
    out.varint(entry.gid);
    out.f64(entry.mtime.seconds);
    out.u32(entry.mtime.nanoseconds);
    out.varint(entry.xattrs.length);
    for (const { name, value } of entry.xattrs) {
      out.latin1(name);
      out.bytes(value);
    }
    this.#own(entry);
  }

  #own(entry: LayerEntry): void {
    switch (entry.kind) {
      case "file":
        return this.#file(entry);
      case "symlink":
      case "hardlink":
        return this.#out.latin1(entry.target);
      case "character":
      case "block":
        this.#out.varint(entry.major);
        return this.#out.varint(entry.minor);
      case "directory":
      case "fifo":
    }
  }

  #file(entry: FileEntry): void {
    const out = this.#out;
    this.#files++;
    out.varint(entry.size);
    out.varint(entry.offset);
    out.varint(entry.storedBytes);
    out.u8(entry.segments === undefined ? 0 : 1);
    if (entry.segments !== undefined) {
      out.varint(entry.segments.length);
      for (const { offset, length } of entry.segments) {
        out.varint(offset);
        out.varint(length);
      }
    }
    out.raw(entry.sha256);
  }

  loss(loss: EntryLoss): void {
    const out = this.#out;
    this.#losses++;
    out.u8(lossTag);
    out.u8(lossKinds.indexOf(loss.kind));
    out.latin1(loss.path);
    out.varint(loss.entryNumber);
    out.bytes(Buffer.from(loss.detail, "utf8"));
  }

  /** Writes the end of the file. Call once. */
  finish(facts: Pick<LayerIndex, "inflatedBytes" | "compression" | "blobCrc32">): void {
    const out = this.#out;
    if (facts.blobCrc32 !== undefined) {
      out.u8(blobCrc32Tag);
      out.u32(facts.blobCrc32);
    }
    out.f64(facts.inflatedBytes);
    out.u32(this.#entries);
    out.u32(this.#files);
    out.u32(this.#losses);
    out.u8(compressions.indexOf(facts.compression));
    out.seal();
  }
}

/** A whole index as a file's bytes. */
export function encodeIndex(index: LayerIndex): Buffer {
  const chunks: Buffer[] = [];
  const encoder = new IndexEncoder(index, (chunk) => chunks.push(Buffer.from(chunk)));
  for (const entry of index.entries) encoder.entry(entry);
  for (const loss of index.losses) encoder.loss(loss);
  encoder.finish(index);
  return Buffer.concat(chunks);
}
