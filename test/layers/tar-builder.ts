/**
 * Builds tar archives by hand, header by header, so that a test can make what no tool would: `entry()` knows the
 * formats, and every field of a header can be overridden by raw bytes.
 */

const blockBytes = 512;

export type TarFormat = "v7" | "ustar" | "gnu" | "star";

/** A header's fields. Numbers become octal; a string or bytes go in as they are. */
export interface HeaderFields {
  readonly name: string | Buffer;
  /** One character; "0" unless given. */
  readonly type?: string;
  readonly mode?: number | string | Buffer;
  readonly uid?: number | string | Buffer;
  readonly gid?: number | string | Buffer;
  readonly size?: number | string | Buffer;
  readonly mtime?: number | string | Buffer;
  readonly linkName?: string | Buffer;
  readonly major?: number | string | Buffer;
  readonly minor?: number | string | Buffer;
  readonly prefix?: string | Buffer;
  readonly format?: TarFormat;
  /** Right unless given. */
  readonly checksum?: number | string;
  /** Raw bytes at any place, written before the checksum is made. */
  readonly patches?: readonly { readonly at: number; readonly bytes: string | Buffer }[];
}

/** One header block. Names are taken as latin1: one character is one byte. */
export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const { format = "ustar" } = fields;
  put(block, 0, 100, fields.name);
  put(block, 100, 8, fields.mode ?? 0o644);
  put(block, 108, 8, fields.uid ?? 0);
  put(block, 116, 8, fields.gid ?? 0);
  put(block, 124, 12, fields.size ?? 0);
  put(block, 136, 12, fields.mtime ?? 0);
  put(block, 156, 1, fields.type ?? "0");
  put(block, 157, 100, fields.linkName ?? "");
  if (format !== "v7") put(block, 257, 8, format === "gnu" ? "ustar  \0" : "ustar\x0000");
  if (format === "star") put(block, 508, 4, "tar\0");
  if (fields.major !== undefined) put(block, 329, 8, fields.major);
  if (fields.minor !== undefined) put(block, 337, 8, fields.minor);
  if (fields.prefix !== undefined) put(block, 345, format === "star" ? 131 : 155, fields.prefix);
  for (const { at, bytes } of fields.patches ?? []) put(block, at, blockBytes - at, bytes);
  return sealed(block, fields.checksum);
}

/** The same header with its checksum made right, or set to `checksum`. */
export function sealed(block: Buffer, checksum?: number | string): Buffer {
  block.fill(" ", 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  const text = typeof checksum === "string" ? checksum : octal(checksum ?? sum, 7) + " ";
  put(block, 148, 8, text);
  return block;
}

function put(block: Buffer, at: number, bytes: number, value: number | string | Buffer): void {
  const raw = typeof value === "number" ? octal(value, bytes) : value;
  const source = typeof raw === "string" ? Buffer.from(raw, "latin1") : raw;
  if (source.length > bytes) throw new RangeError(`${source.length} bytes do not fit into ${bytes}`);
  source.copy(block, at);
}

/** Octal digits and a NUL that fill a field of so many bytes. */
export function octal(value: number, bytes: number): string {
  return `${value.toString(8).padStart(bytes - 1, "0")}\0`;
}

/** A number in base-256, for a field of so many bytes. */
export function base256(value: number | bigint, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let rest = BigInt.asUintN(8 * bytes, BigInt(value));
  for (let i = bytes - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  out[0] = (out[0] ?? 0) | 0x80;
  return out;
}

/** Content, padded to a block. */
export function padded(content: Buffer | string): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return Buffer.concat([bytes, Buffer.alloc((blockBytes - (bytes.length % blockBytes)) % blockBytes)]);
}

/** One PAX record, its length worked out. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from(` ${key}=`, "latin1"),
    typeof value === "string" ? Buffer.from(value, "latin1") : value,
    Buffer.from("\n"),
  ]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export type PaxPairs =
  | Readonly<Record<string, string | Buffer>>
  | readonly (readonly [key: string, value: string | Buffer])[];

function isPairs(pairs: PaxPairs): pairs is readonly (readonly [string, string | Buffer])[] {
  return Array.isArray(pairs);
}

/** A PAX header ("x") with its records, or a global one ("g"). */
export function pax(pairs: PaxPairs, type: "x" | "g" = "x"): Buffer {
  const list = isPairs(pairs) ? pairs : Object.entries(pairs);
  return rawPax(Buffer.concat(list.map(([key, value]) => paxRecord(key, value))), type);
}

/** A PAX header with any bytes for records. */
export function rawPax(body: Buffer | string, type: "x" | "g" = "x"): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  return Buffer.concat([header({ name: "PaxHeaders/0", type, size: bytes.length }), padded(bytes)]);
}

/** A GNU long name ("L") or long link ("K") header. */
export function gnuLong(name: string, type: "L" | "K" = "L"): Buffer {
  const body = Buffer.from(`${name}\0`, "latin1");
  const fields: HeaderFields = { name: "././@LongLink", type, size: body.length, format: "gnu" };
  return Buffer.concat([header(fields), padded(body)]);
}

export interface EntryFields extends Omit<HeaderFields, "name"> {
  /** The body; the size is its length unless given. */
  readonly content?: Buffer | string;
  /** A PAX header that precedes it. */
  readonly pax?: PaxPairs;
  /** Put into that header as SCHILY.xattr records. */
  readonly xattrs?: Readonly<Record<string, Buffer | string>>;
}

/** Header and body, PAX before them where it is asked for. A name over 100 bytes goes into PAX by itself. */
export function entry(name: string, fields: EntryFields = {}): Buffer {
  const { content = "", pax: records = {}, xattrs = {}, ...rest } = fields;
  const body = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  const pairs: (readonly [string, string | Buffer])[] = isPairs(records)
    ? [...records]
    : Object.entries(records);
  for (const [key, value] of Object.entries(xattrs)) pairs.push([`SCHILY.xattr.${key}`, value]);
  if (name.length > 100) pairs.push(["path", name]);
  return Buffer.concat([
    pairs.length === 0 ? Buffer.alloc(0) : pax(pairs),
    header({ size: body.length, ...rest, name: name.slice(0, 100) }),
    padded(body),
  ]);
}

export const file = (name: string, content: Buffer | string = "", fields: EntryFields = {}): Buffer =>
  entry(name, { content, ...fields });

export const dir = (name: string, fields: EntryFields = {}): Buffer =>
  entry(name, { type: "5", mode: 0o755, ...fields });

export const symlink = (name: string, target: string, fields: EntryFields = {}): Buffer =>
  linkTo(name, target, { type: "2", mode: 0o777, ...fields });

export const hardlink = (name: string, target: string, fields: EntryFields = {}): Buffer =>
  linkTo(name, target, { type: "1", ...fields });

function linkTo(name: string, target: string, fields: EntryFields): Buffer {
  if (target.length <= 100) return entry(name, { linkName: target, ...fields });
  return entry(name, { ...fields, pax: { linkpath: target } });
}

export const device = (
  name: string,
  kind: "character" | "block",
  major: number,
  minor: number,
  fields: EntryFields = {},
): Buffer => entry(name, { type: kind === "character" ? "3" : "4", major, minor, ...fields });

export const fifo = (name: string, fields: EntryFields = {}): Buffer => entry(name, { type: "6", ...fields });

export interface SparsePiece {
  readonly offset: number;
  readonly content: Buffer | string;
}

function sparseNumbers(pieces: readonly SparsePiece[]): readonly number[] {
  return pieces.flatMap(({ offset, content }) => [offset, content.length]);
}

function sparseContent(pieces: readonly SparsePiece[]): Buffer {
  return Buffer.concat(
    pieces.map(({ content }) => (typeof content === "string" ? Buffer.from(content, "latin1") : content)),
  );
}

/** A sparse file in GNU's old format, with as many extension blocks as it takes. */
export function oldSparse(name: string, realSize: number, pieces: readonly SparsePiece[]): Buffer {
  const content = sparseContent(pieces);
  const map = Buffer.concat(
    pieces.map((piece) => Buffer.from(octal(piece.offset, 12) + octal(piece.content.length, 12), "latin1")),
  );
  const inHeader = map.subarray(0, 4 * 24);
  const extensions: Buffer[] = [];
  for (let at = inHeader.length; at < map.length; at += 21 * 24) {
    const block = Buffer.alloc(blockBytes);
    map.copy(block, 0, at, at + 21 * 24);
    if (at + 21 * 24 < map.length) block[504] = 1;
    extensions.push(block);
  }
  const patches = [
    { at: 386, bytes: inHeader },
    { at: 482, bytes: extensions.length > 0 ? "\x01" : "\0" },
    { at: 483, bytes: octal(realSize, 12) },
  ];
  const block = header({ name, type: "S", format: "gnu", size: content.length, patches });
  return Buffer.concat([block, ...extensions, padded(content)]);
}

/** A sparse file in one of GNU's PAX formats. */
export function paxSparse(
  version: "0.0" | "0.1" | "1.0",
  name: string,
  realSize: number,
  pieces: readonly SparsePiece[],
): Buffer {
  const content = sparseContent(pieces);
  const numbers = sparseNumbers(pieces).map(String);
  if (version === "1.0") {
    const map = padded([String(pieces.length), ...numbers, ""].join("\n"));
    const records = { major: "1", minor: "0", name, realsize: String(realSize) };
    return entry(`GNUSparseFile.0/${name}`, {
      pax: gnuSparse(records),
      content: Buffer.concat([map, content]),
    });
  }
  const count = String(pieces.length);
  if (version === "0.1") {
    const records = { name, size: String(realSize), numblocks: count, map: numbers.join(",") };
    return entry(`GNUSparseFile.0/${name}`, { pax: gnuSparse(records), content });
  }
  const pairs: (readonly [string, string])[] = [
    ["GNU.sparse.size", String(realSize)],
    ["GNU.sparse.numblocks", count],
  ];
  numbers.forEach((number, i) =>
    pairs.push([i % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes", number]),
  );
  return entry(name, { pax: pairs, content });
}

function gnuSparse(records: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(records).map(([key, value]) => [`GNU.sparse.${key}`, value]));
}

/** The two zero blocks that end an archive. */
export const end: Buffer = Buffer.alloc(2 * blockBytes);

/** A whole archive of those entries. */
export function tar(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, end]);
}
