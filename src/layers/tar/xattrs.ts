import { byteString, type ByteString } from "../../base/bytes.ts";
import type { Xattr } from "../layer-index.ts";
import type { PaxRecords } from "./pax.ts";

const schily = "SCHILY.xattr.";
const libarchive = "LIBARCHIVE.xattr.";

/** Keywords that carry metadata no xattr record stands for; no container runtime applies them. */
const unapplied = new Set([
  "SCHILY.acl.access",
  "SCHILY.acl.default",
  "SCHILY.fflags",
  "RHT.security.selinux",
]);

/** Linux's XATTR_NAME_MAX. */
const maxNameBytes = 255;

/** Shared by all entries that have none. */
export const noXattrs: readonly Xattr[] = Object.freeze([]);

export interface XattrsRead {
  /** Sorted by name, names unique. */
  readonly xattrs: readonly Xattr[];
  /** How many there are, and their names and values together, those included that are dropped. */
  readonly count: number;
  readonly bytes: number;
  /** Names, and what else of the kind, that are of no namespace that the disk holds. */
  readonly dropped: readonly ByteString[];
}

const none: XattrsRead = { xattrs: noXattrs, count: 0, bytes: 0, dropped: [] };

/** What records were found to hold: thousands of entries share those of one global header. */
const knownReads = new WeakMap<PaxRecords, XattrsRead | string>();

/**
 * The xattrs among PAX records: star's (value as bytes) and libarchive's (name URL-encoded, value base64). bsdtar
 * writes both; star's wins, being the one that container runtimes read.
 *
 * @returns a sentence on what is wrong where one is malformed.
 */
export function readXattrs(records: PaxRecords): XattrsRead | string {
  if (records.size === 0) return none;
  const known = knownReads.get(records) ?? readAll(records);
  knownReads.set(records, known);
  return known;
}

function readAll(records: PaxRecords): XattrsRead | string {
  const values = new Map<ByteString, Buffer>();
  const dropped: ByteString[] = [];
  for (const [key, value] of records) {
    if (unapplied.has(key)) dropped.push(bytesOf(key));
    const wrong = readRecord(key, value, records, values);
    if (wrong !== undefined) return wrong;
  }
  if (values.size === 0 && dropped.length === 0) return none;
  const xattrs: Xattr[] = [];
  let bytes = 0;
  for (const [name, value] of values) {
    bytes += name.length + value.length;
    if (isKept(name)) xattrs.push({ name, value });
    else dropped.push(name);
  }
  xattrs.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    xattrs: xattrs.length === 0 ? noXattrs : xattrs,
    count: values.size,
    bytes,
    dropped: dropped.sort(),
  };
}

function readRecord(
  key: string,
  value: ByteString,
  records: PaxRecords,
  values: Map<ByteString, Buffer>,
): string | undefined {
  if (key.startsWith(schily)) {
    const name = bytesOf(key.slice(schily.length));
    values.set(name, Buffer.from(value, "latin1"));
    return wrongName(name);
  }
  if (!key.startsWith(libarchive)) return undefined;
  const name = urlDecoded(key.slice(libarchive.length));
  if (name === undefined) return "a LIBARCHIVE.xattr name that is not URL-encoded";
  const decoded = base64Decoded(value);
  if (decoded === undefined) return "a LIBARCHIVE.xattr value that is not base64";
  if (!records.has(schily + name)) values.set(name, decoded);
  return wrongName(name);
}

function wrongName(name: ByteString): string | undefined {
  if (name === "") return "an xattr without a name";
  if (name.includes("\0")) return "an xattr name with a NUL";
  return name.length > maxNameBytes ? `an xattr name of more than ${maxNameBytes} bytes` : undefined;
}

/** ext4 has an index for each of these. overlayfs's own attributes say how layers merge: nothing in one tree. */
function isKept(name: ByteString): boolean {
  if (name === "system.posix_acl_access" || name === "system.posix_acl_default") return true;
  if (name.startsWith("trusted.overlay.")) return false;
  return /^(?:security|user|trusted)\.[^]/.test(name);
}

function bytesOf(text: string): ByteString {
  return byteString(Buffer.from(text, "latin1"));
}

function urlDecoded(text: string): ByteString | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return bytesOf(text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

/** libarchive writes no padding, others may. */
function base64Decoded(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const decoded = Buffer.from(text, "base64");
  const bare = text.replace(/=+$/, "");
  return decoded.toString("base64").startsWith(bare) ? decoded : undefined;
}
