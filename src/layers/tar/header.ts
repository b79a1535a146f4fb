import { byteString, type ByteString } from "../../base/bytes.ts";

/** Bytes of a block: a header is one, and everything is padded to it. */
export const blockBytes = 512;

export const zeroBlock: Buffer = Buffer.alloc(blockBytes);

/**
 * Where a header's fields are: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's `struct oldgnu_header` and
 * `struct star_header` (tar.h) put their own where ustar has its prefix.
 */
const at = {
  name: { start: 0, bytes: 100 },
  mode: { start: 100, bytes: 8 },
  uid: { start: 108, bytes: 8 },
  gid: { start: 116, bytes: 8 },
  size: { start: 124, bytes: 12 },
  mtime: { start: 136, bytes: 12 },
  checksum: { start: 148, bytes: 8 },
  linkName: { start: 157, bytes: 100 },
  major: { start: 329, bytes: 8 },
  minor: { start: 337, bytes: 8 },
  prefix: { start: 345, bytes: 155 },
  starPrefix: { start: 345, bytes: 131 },
  starAtime: { start: 476, bytes: 12 },
  starCtime: { start: 488, bytes: 12 },
  sparseRealSize: { start: 483, bytes: 12 },
} as const;

export const field: Readonly<Record<keyof typeof at, { readonly start: number; readonly bytes: number }>> =
  at;

const typeAt = 156;
const magicAt = 257;
const starTrailerAt = 508;

/**
 * The type flags that are known. Another is refused: GNU's dump directories, volume labels and continuations
 * ("D", "V", "M") mean nothing in an image.
 */
export const typeFlag = {
  oldFile: "\0",
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
  contiguous: "7",
  gnuLongName: "L",
  gnuLongLink: "K",
  gnuSparse: "S",
  pax: "x",
  globalPax: "g",
} as const;

export type HeaderFormat = "v7" | "ustar" | "gnu" | "star";

export function typeOf(block: Buffer): string {
  return block.toString("latin1", typeAt, typeAt + 1);
}

/** Decided as GNU tar (`decode_header`) and Go (`getFormat`) do, by magic, star's trailer and star's own fields. */
export function formatOf(block: Buffer): HeaderFormat {
  const magic = block.toString("latin1", magicAt, magicAt + 8);
  if (magic === "ustar  \0") return "gnu";
  if (!magic.startsWith("ustar\0")) return "v7";
  return isStar(block) ? "star" : "ustar";
}

function isStar(block: Buffer): boolean {
  if (block.toString("latin1", starTrailerAt, starTrailerAt + 4) === "tar\0") return true;
  const prefixEnd = block[at.starPrefix.start + at.starPrefix.bytes - 1];
  return prefixEnd === 0 && isStarTime(block, at.starAtime.start) && isStarTime(block, at.starCtime.start);
}

/** Eleven octal digits and a space, which no sane prefix has in both places. */
function isStarTime(block: Buffer, start: number): boolean {
  return /^[0-7]{11} $/.test(block.toString("latin1", start, start + 12));
}

/** The bytes of a text field: all of it, or up to its first NUL. Copied. */
export function textField(block: Buffer, { start, bytes }: { start: number; bytes: number }): ByteString {
  const nul = block.indexOf(0, start);
  const end = start + bytes;
  return byteString(block, start, nul >= 0 && nul < end ? nul : end);
}

/** The header's own name, prefix and all. GNU's and v7's have no prefix: other fields are in its place. */
export function headerName(block: Buffer, format: HeaderFormat): ByteString {
  const name = textField(block, at.name);
  if (format === "v7" || format === "gnu") return name;
  const prefix = textField(block, format === "star" ? at.starPrefix : at.prefix);
  return prefix === "" ? name : byteString(Buffer.from(`${prefix}/${name}`, "latin1"));
}

/**
 * The sum of all bytes with the checksum's own taken for spaces (POSIX). Some old writers summed signed chars;
 * GNU tar (`tar_checksum`) and Go accept either.
 */
export function checksums(block: Buffer): { readonly unsigned: number; readonly signed: number } {
  const { start, bytes } = at.checksum;
  let unsigned = bytes * 0x20;
  let high = 0;
  for (let i = 0; i < blockBytes; i++) {
    const byte = block[i] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let i = start; i < start + bytes; i++) {
    const byte = block[i] ?? 0;
    unsigned -= byte;
    high -= byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}
