import { byteString, printable, type ByteString } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import type { EntryLoss, Segment } from "../layer-index.ts";
import { ByteFeed, type AtEnd, type Parser, type Want } from "./byte-feed.ts";
import { headerNumber, makeBodiless, paddingAfter, readEntryHeader } from "./entry.ts";
import type { ArchiveEntry, EntryHeader } from "./entry.ts";
import { blockBytes, checksums, field, formatOf, typeFlag, typeOf, zeroBlock } from "./header.ts";
import { numberField } from "./number-field.ts";
import { globalRecords, noRecords, parsePax, PaxScope, type PaxRecords } from "./pax.ts";
import { checkedSegments, paxSparseFormat, readOldSparse, readPaxSparse0, readPaxSparse1 } from "./sparse.ts";
import { TarContext, type TarLimits } from "./tar-context.ts";

/** Where a reader puts what it finds, in the archive's order. */
export interface TarSink {
  /** A file's stored bytes, if it has any, follow as `content`, before the next entry. */
  entry(entry: ArchiveEntry): void;
  /** Stored bytes of the last file; they are the sink's until it returns. `last` with the last of them. */
  content(piece: Buffer, last: boolean): void;
  loss(loss: EntryLoss): void;
}

/** The extension headers since the last entry. */
interface Pending {
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
  pax: PaxRecords | undefined;
}

/**
 * Reads a tar archive that is pushed to it: v7, ustar, GNU, star and PAX, in one archive too. Synchronous; holds
 * one header's worth of bytes. Names, targets and xattrs come out as the bytes that they are.
 *
 * @throws BangerError, from `push` and `end`: LAYER_INVALID, LAYER_UNSAFE or LIMIT_*, with facts `{ layer, entry,
 *   rule, name }`; or what the sink throws. The reader is of no use after that.
 */
export class TarReader {
  readonly #feed: ByteFeed;
  readonly #context: TarContext;
  readonly #sink: TarSink;
  #global: PaxRecords = noRecords;

  /** @param layer names the layer in errors. */
  constructor(sink: TarSink, layer: Digest, limits: TarLimits) {
    this.#sink = sink;
    this.#context = new TarContext(layer, limits);
    this.#feed = new ByteFeed(() => this.#archive());
  }

  push(piece: Buffer): void {
    this.#feed.push(piece);
  }

  /** The stream is over: fine at a block's boundary between entries, with or without zero blocks. */
  end(): void {
    this.#feed.end();
  }

  *#archive(): Parser {
    let pending: Pending = { longName: undefined, longLink: undefined, pax: undefined };
    for (;;) {
      const block = yield this.#headerBlock(pending);
      if (block[0] === 0 && block.equals(zeroBlock)) return yield* this.#endBlocks(pending);
      this.#checkSum(block);
      switch (typeOf(block)) {
        case typeFlag.gnuLongName:
          pending.longName = this.#longName(yield* this.#payload(block));
          break;
        case typeFlag.gnuLongLink:
          pending.longLink = this.#longName(yield* this.#payload(block));
          break;
        case typeFlag.pax:
          // Of two, Go takes the last and libarchive both: so neither.
          if (pending.pax !== undefined)
            throw this.#context.invalid("pax-twice", "two PAX headers precede it");
          pending.pax = this.#records(yield* this.#payload(block));
          break;
        case typeFlag.globalPax:
          // It takes the place of the one before, as in GNU tar (`xheader_decode_global`).
          this.#global = this.#globalRecords(yield* this.#payload(block));
          break;
        default:
          yield* this.#entry(block, pending);
          pending = { longName: undefined, longLink: undefined, pax: undefined };
      }
    }
  }

  #headerBlock(pending: Pending): Want {
    const announced = Object.values(pending).some((value) => value !== undefined);
    const atEnd: AtEnd = (missing) => {
      if (missing < blockBytes) return this.#context.invalid("truncated", "its header is cut short");
      return announced ? this.#dangling() : undefined;
    };
    return { kind: "take", bytes: blockBytes, atEnd };
  }

  #dangling(): Error {
    return this.#context.invalid(
      "truncated",
      "the archive ends after a header that announces one more entry",
    );
  }

  /**
   * One zero block and then something else is refused, as Go does: GNU tar stops there with a warning ("A lone zero
   * block"), so entries behind it would exist for some readers only.
   */
  *#endBlocks(pending: Pending): Parser {
    if (Object.values(pending).some((value) => value !== undefined)) throw this.#dangling();
    const block = yield this.#headerBlock(pending);
    if (!block.equals(zeroBlock))
      throw this.#context.invalid(
        "lone-zero-block",
        "a single block of zeros stands where its header should",
      );
  }

  #checkSum(block: Buffer): void {
    const { start, bytes } = field.checksum;
    const said = numberField(block, start, bytes);
    const { unsigned, signed } = checksums(block);
    if (said !== unsigned && said !== signed)
      throw this.#context.invalid("header-checksum", "the checksum of its header is wrong");
  }

  /** The body of an extension header. Its size is its own header's alone: PAX records speak of the entry after it. */
  *#payload(header: Buffer): Parser<Buffer> {
    const size = headerNumber(header, "size", this.#context);
    const { paxBytes } = this.#context.limits;
    if (size > paxBytes)
      throw this.#context.limit("LIMIT_PAX", `a header of ${size} bytes precedes it, more than ${paxBytes}`);
    const bytes = size + paddingAfter(size);
    if (bytes === 0) return header.subarray(0, 0);
    return (yield { kind: "take", bytes, atEnd: this.#cutShort }).subarray(0, size);
  }

  readonly #cutShort: AtEnd = (missing) =>
    this.#context.invalid("truncated", `it is cut short: the archive ends ${missing} bytes too soon`);

  readonly #block = (): Want => ({ kind: "take", bytes: blockBytes, atEnd: this.#cutShort });

  /** GNU tar ends it with a NUL, which is not part of it. */
  #longName(body: Buffer): ByteString {
    const nul = body.indexOf(0);
    const end = nul < 0 ? body.length : nul;
    if (body.subarray(end).some((byte) => byte !== 0))
      throw this.#context.unsafe("name-nul", "a NUL is in its GNU long name");
    return byteString(body, 0, end);
  }

  #records(body: Buffer): PaxRecords {
    const records = parsePax(body);
    if (typeof records === "string")
      throw this.#context.invalid("pax-record", `before it there is ${records}`);
    return records;
  }

  #globalRecords(body: Buffer): PaxRecords {
    const records = this.#records(body);
    for (const key of records.keys()) {
      if (key.startsWith("GNU.sparse."))
        throw this.#context.invalid("pax-record", `a global PAX header has ${key}, which is one file's own`);
    }
    return globalRecords(records);
  }

  *#entry(block: Buffer, pending: Pending): Parser {
    const context = this.#context;
    if (context.entry > context.limits.entries)
      throw context.limit("LIMIT_ENTRIES", `more than ${context.limits.entries} entries`);
    const pax = new PaxScope(pending.pax ?? noRecords, this.#global);
    const header = readEntryHeader(block, { ...pending, pax }, context);
    if (isFile(header.type)) yield* this.#file(header, block, pax);
    else {
      // Go refuses it too; a reader that heeded it would look for a map where there is no body.
      if (pax.hasOwn("GNU.sparse.")) throw context.invalid("sparse-map", "it is sparse, and no file");
      const entry = makeBodiless(header, block, context);
      // A directory by its old-style name: GNU tar skips its body, Go takes none to be there.
      if (typeOf(block) === typeFlag.oldFile && header.size > 0)
        throw context.invalid("directory-size", "it is a directory by its name, and has content");
      this.#emit(entry, header);
    }
    context.entry++;
    context.name = undefined;
  }

  *#file(header: EntryHeader, block: Buffer, pax: PaxScope): Parser {
    const sparse = yield* this.#sparse(header, block, pax);
    const storedBytes = sparse?.storedBytes ?? header.size;
    const { segments, realSize: size } = sparse ?? { segments: undefined, realSize: header.size };
    const offset = this.#feed.position;
    this.#emit({ kind: "file", ...header.base, size, offset, storedBytes, segments }, header);
    if (storedBytes > 0) yield { kind: "pass", bytes: storedBytes, atEnd: this.#cutShort, to: this.#content };
    const bytes = paddingAfter(storedBytes);
    // The last file may go without: umoci's `insert` leaves it out, and Go's reader, hence every engine, takes that.
    if (bytes > 0) yield { kind: "pass", bytes, atEnd: () => undefined, to: ignore };
  }

  readonly #content = (piece: Buffer, last: boolean): void => this.#sink.content(piece, last);

  *#sparse(header: EntryHeader, block: Buffer, pax: PaxScope): Parser<StoredSparse | undefined> {
    const context = this.#context;
    const format = paxSparseFormat(pax, context);
    if (header.type === typeFlag.gnuSparse) {
      if (formatOf(block) !== "gnu")
        throw context.invalid("sparse-map", "only GNU headers hold a sparse map");
      if (format !== undefined)
        throw context.invalid("sparse-map", "it has a sparse map of GNU's and one of PAX's");
      const map = yield* readOldSparse(block, context, this.#block);
      return { ...map, segments: checkedSegments(map, header.size, context), storedBytes: header.size };
    }
    if (format === "0.x") {
      const map = readPaxSparse0(pax, context);
      return { ...map, segments: checkedSegments(map, header.size, context), storedBytes: header.size };
    }
    if (format === "1.0") {
      const map = yield* readPaxSparse1(pax, header.size, context, this.#block);
      const storedBytes = header.size - map.mapBytes;
      return { ...map, segments: checkedSegments(map, storedBytes, context), storedBytes };
    }
    return undefined;
  }

  #emit(entry: ArchiveEntry, header: EntryHeader): void {
    this.#sink.entry(entry);
    // Of a hard link nothing counts but its name and target, so nothing of it is lost.
    if (entry.kind === "hardlink") return;
    for (const name of header.droppedXattrs) {
      const detail = `${printable(name)} was left out: ext4 has no such namespace, or it means nothing there`;
      this.#sink.loss({ kind: "XATTR_NAMESPACE", path: entry.path, entryNumber: entry.number, detail });
    }
  }
}

interface StoredSparse {
  readonly realSize: number;
  readonly segments: readonly Segment[];
  readonly storedBytes: number;
}

function isFile(type: string): boolean {
  return (
    type === typeFlag.file ||
    type === typeFlag.oldFile ||
    type === typeFlag.contiguous ||
    type === typeFlag.gnuSparse
  );
}

function ignore(): void {
  // Padding: read for its length alone.
}
