import type { ByteString } from "../../base/bytes.ts";
import type { FileEntry, LayerEntry, Timestamp } from "../layer-index.ts";
import {
  blockBytes,
  field,
  formatOf,
  headerName,
  textField,
  typeFlag,
  typeOf,
  type HeaderFormat,
} from "./header.ts";
import { decimal, numberField } from "./number-field.ts";
import type { PaxScope } from "./pax.ts";
import { paxTime } from "./pax-time.ts";
import type { TarContext } from "./tar-context.ts";
import { readXattrs, type XattrsRead } from "./xattrs.ts";

/** A file whose content is still to come. */
export type UnhashedFile = Omit<FileEntry, "sha256">;
export type ArchiveEntry = Exclude<LayerEntry, FileEntry> | UnhashedFile;

/** What the headers before an entry's own say about it. */
export interface Announced {
  readonly longName: ByteString | undefined;
  readonly longLink: ByteString | undefined;
  readonly pax: PaxScope;
}

/** What all kinds of entry have, and what is needed to make each. */
export interface EntryHeader {
  readonly type: string;
  readonly format: HeaderFormat;
  readonly base: {
    readonly number: number;
    readonly path: ByteString;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly mtime: Timestamp;
    readonly xattrs: XattrsRead["xattrs"];
  };
  readonly droppedXattrs: readonly ByteString[];
  readonly linkTarget: ByteString;
  /** As the header or PAX has it; counts for files only. */
  readonly size: number;
}

/** What an xattr takes in memory besides its name and value. */
const xattrOverheadBytes = 64;

/** uid_t and gid_t of Linux. */
const maxId = 0xffff_ffff;
/** Linux's MINORBITS: 12 bits of major, 20 of minor. */
const maxMajor = 0xfff;
const maxMinor = 0xf_ffff;
/** Linux's PATH_MAX, its NUL left out: what symlink(2) takes. */
const maxTargetBytes = 4095;

export function readEntryHeader(block: Buffer, announced: Announced, context: TarContext): EntryHeader {
  const { pax } = announced;
  const format = formatOf(block);
  const path = pathOf(block, format, announced, context);
  context.name = path;
  const xattrs = readXattrs(pax.all());
  if (typeof xattrs === "string") throw context.invalid("xattr", `it has ${xattrs}`);
  if (xattrs.bytes > context.limits.xattrBytes)
    throw context.limit("LIMIT_XATTRS", `it has ${xattrs.bytes} bytes of extended attributes`);
  if (xattrs.count > context.limits.xattrs)
    throw context.limit("LIMIT_XATTRS", `it has ${xattrs.count} extended attributes`);
  context.xattrBytes += xattrs.bytes + xattrs.count * xattrOverheadBytes;
  if (context.xattrBytes > context.limits.layerXattrBytes)
    throw context.limit("LIMIT_XATTRS", "with its extended attributes the layer has more than is allowed");
  const base = {
    number: context.entry,
    path,
    mode: headerNumber(block, "mode", context) % 0o10000,
    uid: idOf(block, "uid", pax, context),
    gid: idOf(block, "gid", pax, context),
    mtime: mtimeOf(block, pax, context),
    xattrs: xattrs.xattrs,
  };
  return {
    type: effectiveType(block, path),
    format,
    base,
    droppedXattrs: xattrs.dropped,
    linkTarget: linkTargetOf(block, announced, context),
    size: sizeOf(block, pax, context),
  };
}

/**
 * A header's own name, a GNU long name, a PAX path: each stands above the one before. GNU tar takes the PAX path
 * where there are a long name and a path too, Go the long name; so two that differ are refused.
 */
function pathOf(block: Buffer, format: HeaderFormat, announced: Announced, context: TarContext): ByteString {
  const { longName, pax } = announced;
  const paxPath = pax.get("path");
  if (paxPath !== undefined && longName !== undefined && paxPath !== longName)
    throw context.invalid("two-names", "a GNU long name and a PAX path give it different names");
  const path = pax.get("GNU.sparse.name") ?? paxPath ?? longName ?? headerName(block, format);
  if (path === "") throw context.unsafe("name-empty", "it has no name");
  checkLength(path, context.limits.pathBytes, "name", context);
  return path;
}

function linkTargetOf(block: Buffer, announced: Announced, context: TarContext): ByteString {
  const { longLink, pax } = announced;
  const paxTarget = pax.get("linkpath");
  if (paxTarget !== undefined && longLink !== undefined && paxTarget !== longLink)
    throw context.invalid("two-names", "a GNU long link and a PAX linkpath give it different targets");
  return paxTarget ?? longLink ?? textField(block, field.linkName);
}

function checkLength(bytes: ByteString, limit: number, what: string, context: TarContext): void {
  if (bytes.length > limit)
    throw context.limit("LIMIT_PATH", `its ${what} is ${bytes.length} bytes long, more than ${limit}`);
}

/**
 * Before ustar a directory was a file whose name ends in a slash. Only with the old type flag, as Go has it: with "0" a
 * container runtime makes a file.
 */
function effectiveType(block: Buffer, path: ByteString): string {
  const type = typeOf(block);
  return type === typeFlag.oldFile && path.endsWith("/") ? typeFlag.directory : type;
}

type NumberName = "mode" | "uid" | "gid" | "size" | "mtime" | "major" | "minor";

/** A number of the header that can't be negative. */
export function headerNumber(block: Buffer, name: NumberName, context: TarContext): number {
  const value = signedNumber(block, name, context);
  if (value < 0) throw context.invalid("number-field", `its ${name} is negative`);
  return value;
}

function signedNumber(block: Buffer, name: NumberName, context: TarContext): number {
  const { start, bytes } = field[name];
  const value = numberField(block, start, bytes);
  if (value === undefined) throw context.invalid("number-field", `its ${name} is not a number, or too large`);
  return value;
}

function idOf(block: Buffer, name: "uid" | "gid", pax: PaxScope, context: TarContext): number {
  const text = pax.get(name);
  const value = text === undefined ? signedNumber(block, name, context) : decimal(text);
  if (value === undefined || value < 0 || value > maxId)
    throw context.unsafe("owner-range", `its ${name} is not a number from 0 to ${maxId}`);
  return value;
}

function mtimeOf(block: Buffer, pax: PaxScope, context: TarContext): Timestamp {
  const text = pax.get("mtime");
  if (text === undefined) return { seconds: signedNumber(block, "mtime", context), nanoseconds: 0 };
  const time = paxTime(text);
  if (time === undefined) throw context.invalid("pax-record", "its PAX mtime is not a time");
  return time;
}

/** PAX wins: a reader that took the header's would look for the next header somewhere else. */
function sizeOf(block: Buffer, pax: PaxScope, context: TarContext): number {
  const text = pax.get("size");
  if (text === undefined) return headerNumber(block, "size", context);
  const size = decimal(text);
  if (size === undefined) throw context.invalid("pax-record", "its PAX size is not a number");
  return size;
}

/**
 * The entries that have no content. Whatever size their headers give (some writers give a hard link its
 * file's), no body follows: so Go (`isHeaderOnlyType`) and libarchive, hence every container runtime.
 */
export function makeBodiless(
  header: EntryHeader,
  block: Buffer,
  context: TarContext,
): Exclude<LayerEntry, FileEntry> {
  const { base, linkTarget } = header;
  switch (header.type) {
    case typeFlag.hardlink:
      if (linkTarget === "") throw context.invalid("link-target", "it is a hard link to nothing");
      checkLength(linkTarget, context.limits.pathBytes, "link target", context);
      return { kind: "hardlink", ...base, target: linkTarget };
    case typeFlag.symlink:
      if (linkTarget === "") throw context.invalid("link-target", "it is a symlink to nothing");
      checkLength(linkTarget, maxTargetBytes, "symlink target", context);
      return { kind: "symlink", ...base, target: linkTarget };
    case typeFlag.directory:
      return { kind: "directory", ...base };
    case typeFlag.fifo:
      return { kind: "fifo", ...base };
    case typeFlag.character:
      return { kind: "character", ...base, ...deviceNumbers(header, block, context) };
    case typeFlag.block:
      return { kind: "block", ...base, ...deviceNumbers(header, block, context) };
    default: {
      const code = header.type.charCodeAt(0).toString(16).padStart(2, "0");
      throw context.unsafe("type-flag", `its type flag, 0x${code}, is not known`);
    }
  }
}

function deviceNumbers(
  header: EntryHeader,
  block: Buffer,
  context: TarContext,
): { readonly major: number; readonly minor: number } {
  if (header.format === "v7") throw context.invalid("device-number", "a v7 header holds no device numbers");
  const major = headerNumber(block, "major", context);
  const minor = headerNumber(block, "minor", context);
  if (major > maxMajor || minor > maxMinor)
    throw context.unsafe("device-number", `Linux has no device ${major}:${minor}`);
  return { major, minor };
}

/** Bytes from the end of `size` bytes to the next block. */
export function paddingAfter(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}
