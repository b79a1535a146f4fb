import type { Timestamp } from "../../layers/layer-index.ts";
import { crc32c, crc32cWord } from "../crc32c.ts";
import { corrupt, type Place } from "./corrupt.ts";
import { decodeDevice } from "./device-number.ts";
import { incompat, roCompat, type Superblock } from "./superblock.ts";

/** `struct ext4_inode`: Documentation/filesystems/ext4/inodes.rst. From 0x80 on as far as `extraSize` reaches. */
const field = {
  mode: 0x00,
  uidLo: 0x02,
  sizeLo: 0x04,
  atime: 0x08,
  ctime: 0x0c,
  mtime: 0x10,
  gidLo: 0x18,
  linksCount: 0x1a,
  blocksLo: 0x1c,
  flags: 0x20,
  block: 0x28,
  generation: 0x64,
  fileAclLo: 0x68,
  sizeHi: 0x6c,
  blocksHi: 0x74,
  fileAclHi: 0x76,
  uidHi: 0x78,
  gidHi: 0x7a,
  checksumLo: 0x7c,
  extraSize: 0x80,
  checksumHi: 0x82,
  ctimeExtra: 0x84,
  mtimeExtra: 0x88,
  atimeExtra: 0x8c,
  crtime: 0x90,
  crtimeExtra: 0x94,
} as const;

/** Bytes of `i_block`: block pointers, an extent tree's root, a short link's target or a device number. */
export const blockAreaBytes = 60;
const blockAreaEnd = field.block + blockAreaBytes;
/** Bytes of the inode before the extra fields. */
const goodOldSize = 128;

/** `i_flags`, those that decide how an inode is read. */
export const inodeFlags = {
  encrypted: 0x800,
  hashedDirectory: 0x1000,
  hugeFile: 0x40000,
  extents: 0x80000,
  xattrValue: 0x200000,
  inlineData: 0x10000000,
} as const;

export type InodeKind = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";

/** The type bits of `i_mode`, S_IFMT in `stat.h`. */
const kinds: ReadonlyMap<number, InodeKind> = new Map([
  [0x1, "fifo"],
  [0x2, "character"],
  [0x4, "directory"],
  [0x6, "block"],
  [0x8, "file"],
  [0xa, "symlink"],
  [0xc, "socket"],
]);

/** An inode that is in use. It owns its bytes. */
export interface Ext4Inode {
  readonly number: number;
  readonly kind: InodeKind;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes; of a link, the length of its target. */
  readonly size: number;
  readonly linkCount: number;
  readonly atime: Timestamp;
  readonly ctime: Timestamp;
  readonly mtime: Timestamp;
  /** Undefined where the inode has no room for it, as with 128 bytes. */
  readonly crtime: Timestamp | undefined;
  readonly flags: number;
  /** In units of 512 bytes, what maps and xattrs take included. */
  readonly blocks: number;
  /** Of a device, otherwise 0. */
  readonly major: number;
  readonly minor: number;
  readonly generation: number;
  /** The block of its xattrs, 0 for none. */
  readonly xattrBlock: number;
  /** `i_block`, 60 bytes. */
  readonly blockArea: Buffer;
  /** What follows the extra fields: xattrs, or zeros. Empty where there is no room. */
  readonly xattrArea: Buffer;
  /** Where checksums of its extent and directory blocks start; undefined without `metadata_csum`. */
  readonly checksumSeed: number | undefined;
}

/** Parses one inode of the inode table; `bytes` are copied. */
export function parseInode(bytes: Buffer, number: number, sb: Superblock): Ext4Inode {
  const place = { inode: number };
  const raw = Buffer.from(bytes);
  const seed = checkChecksum(raw, number, sb, place);
  const linkCount = raw.readUInt16LE(field.linksCount);
  if (linkCount === 0) throw corrupt(place, "it is named but not in use: its link count is 0");
  const mode = raw.readUInt16LE(field.mode);
  const kind = kinds.get(mode >>> 12);
  if (kind === undefined) throw corrupt(place, `the mode 0${mode.toString(8)} has no known type`);
  const extraEnd = goodOldSize + extraSize(raw, place);
  const time = (offset: number, extra: number): Timestamp =>
    decodeTime(raw.readInt32LE(offset), extra + 4 <= extraEnd ? raw.readUInt32LE(extra) : 0, place);
  const blockArea = raw.subarray(field.block, blockAreaEnd);
  const device = kind === "character" || kind === "block" ? decodeDevice(blockArea) : { major: 0, minor: 0 };
  const flags = raw.readUInt32LE(field.flags);
  const wide = (sb.incompat & incompat.bits64) !== 0;
  return {
    number,
    kind,
    mode: mode & 0o7777,
    uid: raw.readUInt16LE(field.uidLo) + raw.readUInt16LE(field.uidHi) * 0x10000,
    gid: raw.readUInt16LE(field.gidLo) + raw.readUInt16LE(field.gidHi) * 0x10000,
    size: sizeOf(raw, kind, sb, place),
    linkCount,
    atime: time(field.atime, field.atimeExtra),
    ctime: time(field.ctime, field.ctimeExtra),
    mtime: time(field.mtime, field.mtimeExtra),
    crtime: field.crtime + 4 <= extraEnd ? time(field.crtime, field.crtimeExtra) : undefined,
    flags,
    blocks: blocksOf(raw, flags, sb),
    ...device,
    generation: raw.readUInt32LE(field.generation),
    xattrBlock: raw.readUInt32LE(field.fileAclLo) + (wide ? raw.readUInt16LE(field.fileAclHi) * 2 ** 32 : 0),
    blockArea,
    // No extra fields, no xattrs: the kernel then takes the rest for its own fields (`ext4_iget`).
    xattrArea: raw.subarray(extraEnd === goodOldSize ? raw.length : extraEnd),
    checksumSeed: seed,
  };
}

/** `i_extra_isize`: how many bytes after the first 128 are fields. The kernel's rules of `ext4_iget`. */
function extraSize(raw: Buffer, place: Place): number {
  if (raw.length <= goodOldSize) return 0;
  const size = raw.readUInt16LE(field.extraSize);
  if (goodOldSize + size > raw.length || size % 4 !== 0) {
    throw corrupt(place, `${size} bytes of extra fields don't fit into the inode`);
  }
  return size;
}

/** `ext4_inode_csum` (fs/ext4/inode.c). Zeroes the checksum's own bytes in `raw`, which nothing else reads. */
function checkChecksum(raw: Buffer, number: number, sb: Superblock, place: Place): number | undefined {
  if (sb.checksumSeed === undefined) return undefined;
  const seed = crc32cWord(crc32cWord(sb.checksumSeed, number), raw.readUInt32LE(field.generation));
  const wide = raw.length > goodOldSize && raw.readUInt16LE(field.extraSize) >= 4;
  const found =
    raw.readUInt16LE(field.checksumLo) + (wide ? raw.readUInt16LE(field.checksumHi) * 0x10000 : 0);
  raw.writeUInt16LE(0, field.checksumLo);
  if (wide) raw.writeUInt16LE(0, field.checksumHi);
  const expected = crc32c(seed, raw);
  if (found !== (wide ? expected : expected & 0xffff)) throw corrupt(place, "the checksum differs");
  return seed;
}

/**
 * inodes.rst, "Inode Timestamps": the two low bits of the extra field extend the seconds to 34 bits, on top of
 * their sign; the others are nanoseconds.
 */
function decodeTime(seconds: number, extra: number, place: Place): Timestamp {
  const nanoseconds = extra >>> 2;
  if (nanoseconds > 999_999_999) throw corrupt(place, "a time has more than 999,999,999 nanoseconds");
  return { seconds: seconds + (extra & 3) * 2 ** 32, nanoseconds };
}

/** `ext4_isize`: the high half is another field for anything but files, and directories with large_dir. */
function sizeOf(raw: Buffer, kind: InodeKind, sb: Superblock, place: Place): number {
  const low = raw.readUInt32LE(field.sizeLo);
  const wide = kind === "file" || (kind === "directory" && (sb.incompat & incompat.largeDirectories) !== 0);
  const size = low + (wide ? raw.readUInt32LE(field.sizeHi) * 2 ** 32 : 0);
  // Logical block numbers have 32 bits (EXT_MAX_BLOCKS).
  if (size > 2 ** 32 * sb.blockSize) throw corrupt(place, `the size ${size} is more than any map can reach`);
  return size;
}

/** inodes.rst, `i_blocks_lo`: with huge_file 48 bits wide, and counted in blocks where the inode's flag says so. */
function blocksOf(raw: Buffer, flags: number, sb: Superblock): number {
  const low = raw.readUInt32LE(field.blocksLo);
  if ((sb.roCompat & roCompat.hugeFile) === 0) return low;
  const count = low + raw.readUInt16LE(field.blocksHi) * 2 ** 32;
  return (flags & inodeFlags.hugeFile) === 0 ? count : count * (sb.blockSize / 512);
}
