import { byteString, type ByteString } from "../../base/bytes.ts";
import { decimal } from "./number-field.ts";

/** Keyword → value, both as bytes: xattr values are binary, and names need not be UTF-8. */
export type PaxRecords = ReadonlyMap<string, ByteString>;

export const noRecords: PaxRecords = new Map();

/** The keyword under which a sparse map is kept, in 0.1 and, joined from its many records, in 0.0. */
export const sparseMapKey = "GNU.sparse.map";

/** Values that are C strings to other readers, which would see another name than the bytes say. */
const cStrings = new Set(["path", "linkpath", "uname", "gname", "GNU.sparse.name"]);

const space = 0x20;
const newline = 0x0a;
const equals = 0x3d;

/**
 * Reads the records of an "x" or "g" header, `"%d %s=%s\n"` each (POSIX.1-2017 pax, "pax Extended Header"). The
 * length counts the whole record, itself included, and alone decides where it ends: a value may hold newlines. The
 * last of two records with one keyword wins.
 *
 * @returns a sentence on what is wrong where it is malformed: skipping it is how parsers come to disagree.
 */
export function parsePax(body: Buffer): PaxRecords | string {
  const records = new Map<string, ByteString>();
  const pairs: ByteString[] = [];
  for (let at = 0; at < body.length;) {
    const record = readRecord(body, at);
    if (typeof record === "string") return record;
    const { key, value } = record;
    const wrong = addRecord(records, pairs, key, value);
    if (wrong !== undefined) return wrong;
    at = record.end;
  }
  if (pairs.length === 0) return records;
  if (pairs.length % 2 !== 0) return "a GNU.sparse.offset without its GNU.sparse.numbytes";
  if (records.has(sparseMapKey)) return "two sparse maps";
  return records.set(sparseMapKey, byteString(Buffer.from(pairs.join(","), "latin1")));
}

interface PaxRecord {
  readonly key: ByteString;
  readonly value: ByteString;
  readonly end: number;
}

function readRecord(body: Buffer, at: number): PaxRecord | string {
  const gap = body.indexOf(space, at);
  // Twenty digits are more than any length has; the bound keeps a search from becoming quadratic.
  if (gap < 0 || gap - at > 20) return "a PAX record without a length";
  const length = decimal(body.toString("latin1", at, gap));
  if (length === undefined) return "a PAX record whose length is not a number";
  const end = at + length;
  if (end > body.length || end < gap + 2) return "a PAX record whose length is wrong";
  if (body[end - 1] !== newline) return "a PAX record that does not end in a newline";
  const sign = body.indexOf(equals, gap + 1);
  if (sign < 0 || sign >= end - 1) return "a PAX record without an equals sign";
  if (sign === gap + 1) return "a PAX record without a keyword";
  return { key: byteString(body, gap + 1, sign), value: byteString(body, sign + 1, end - 1), end };
}

/** PAX sparse 0.0 repeats two keywords, offset and numbytes in turn: the one case where the last does not win. */
function addRecord(
  records: Map<string, ByteString>,
  pairs: ByteString[],
  key: ByteString,
  value: ByteString,
): string | undefined {
  if (key.includes("\0")) return "a PAX keyword with a NUL";
  if (cStrings.has(key) && value.includes("\0")) return `a PAX ${key} with a NUL`;
  if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
    const due = pairs.length % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes";
    if (key !== due) return `a ${key} where ${due} is due`;
    if (decimal(value) === undefined) return `a ${key} that is not a number`;
    pairs.push(value);
    return undefined;
  }
  records.set(key, value);
  return undefined;
}

/** What can mean something to all the entries that follow a global header; the rest would only be carried along. */
const globalKey =
  /^(?:path|linkpath|size|uid|gid|mtime|SCHILY\..*|LIBARCHIVE\.xattr\..*|RHT\.security\.selinux)$/s;

/** A global header's records without those that mean nothing to anybody: each entry is held against the others. */
export function globalRecords(records: PaxRecords): PaxRecords {
  return new Map([...records].filter(([key]) => globalKey.test(key)));
}

/** What applies to one entry: its own records, and below them the last global header's. */
export class PaxScope {
  readonly #own: PaxRecords;
  readonly #global: PaxRecords;

  constructor(own: PaxRecords, global: PaxRecords) {
    this.#own = own;
    this.#global = global;
  }

  /** Undefined where there is none, or an empty one, which takes a global value back (POSIX). */
  get(key: string): ByteString | undefined {
    const value = this.#own.get(key) ?? this.#global.get(key);
    return value === "" ? undefined : value;
  }

  /** Whether the entry's own records have any keyword that starts so. */
  hasOwn(start: string): boolean {
    for (const key of this.#own.keys()) if (key.startsWith(start)) return true;
    return false;
  }

  /** Every record that applies, empty ones too. The very records of the global header where there are no others. */
  all(): PaxRecords {
    if (this.#global.size === 0) return this.#own;
    if (this.#own.size === 0) return this.#global;
    return new Map([...this.#global, ...this.#own]);
  }
}
