import type { Timestamp } from "../../layers/layer-index.ts";
import { crc32c, crc32cWord, crc32cZeros } from "../crc32c.ts";
import { blockBytes, inodeBytes } from "../geometry.ts";
import { put16, put32 } from "./little-endian.ts";
import { extraInodeBytes } from "./superblock.ts";
import { extraTimeWord } from "./timestamp.ts";

/**
 * `struct ext4_inode`, kernel Documentation/filesystems/ext4/inodes.rst: offsets in bytes, little-endian. What is not
 * here (`i_dtime`, `i_generation`, `i_version`, `i_projid`) stays zero.
 */
const field = {
  mode: 0x00, // u16, type and permission bits as stat(2) has them
  uidLo: 0x02, // u16
  sizeLo: 0x04, // u32, bytes
  atime: 0x08, // i32, seconds since 1970
  ctime: 0x0c, // i32
  mtime: 0x10, // i32
  gidLo: 0x18, // u16
  linksCount: 0x1a, // u16
  blocksLo: 0x1c, // u32, units of 512 bytes, blocks of maps and xattrs included
  flags: 0x20, // u32, "i_flags"
  block: 0x28, // 60 bytes: extent tree, target of a short link, device number
  fileAclLo: 0x68, // u32, block of xattrs; its high half stays zero, as block numbers have 32 bits
  sizeHi: 0x6c, // u32
  blocksHi: 0x74, // u16
  uidHi: 0x78, // u16
  gidHi: 0x7a, // u16
  checksumLo: 0x7c, // u16, low half of the CRC-32C
  extraSize: 0x80, // u16, bytes of fields past the first 128
  checksumHi: 0x82, // u16
  ctimeExtra: 0x84, // u32, "Inode Timestamps"
  mtimeExtra: 0x88, // u32
  atimeExtra: 0x8c, // u32
  crtime: 0x90, // i32, seconds since 1970
  crtimeExtra: 0x94, // u32
} as const;

/** Where `i_block` lies in an inode, and where the xattrs begin that fit into it. */
export const blockAreaOffset = field.block;
export const blockAreaBytes = 60;
export const xattrAreaOffset = 128 + extraInodeBytes;

/** Of a link's target that has room in `i_block`, with a NUL after it: `ext4_inode_is_fast_symlink` (fs/ext4/inode.c). */
export const maxFastLink = blockAreaBytes - 1;

/** What `i_blocks` counts in, "i_blocks_lo" of inodes.rst. */
const sectorBytes = 512;

/** "i_flags" of inodes.rst. */
export const inodeFlags = { hashedDirectory: 0x1000, extents: 0x80000 } as const;

/** The type bits of `i_mode`, S_IFMT of stat(2). */
export const typeBits = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
} as const;

export interface InodeFields {
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** As on disk: 1 where a directory has more than 65,000. */
  readonly links: number;
  /** File system blocks, those of maps and xattrs included. */
  readonly blocks: number;
  readonly flags: number;
  /** Block of xattrs, or 0. */
  readonly xattrBlock: number;
  /** The one time that there is: of content, change, access and making. */
  readonly time: Timestamp;
}

/** Where checksums of an inode and of its blocks start (checksums.rst); generations are all 0. */
export function inodeSeed(seed: number, number: number): number {
  return crc32cWord(crc32cWord(seed, number), 0);
}

/**
 * Writes the fields of an inode to `out` from `at` on, which held zeros but for `i_block` and the area of xattrs:
 * those come first, as the checksum covers them. `hasXattrs` says whether there is anything in that area.
 */
export function encodeInode(
  out: Buffer,
  at: number,
  number: number,
  of: InodeFields,
  seed: number,
  hasXattrs: boolean,
): void {
  put16(out, at + field.mode, of.mode);
  put16(out, at + field.uidLo, of.uid);
  put16(out, at + field.uidHi, of.uid >>> 16);
  put16(out, at + field.gidLo, of.gid);
  put16(out, at + field.gidHi, of.gid >>> 16);
  put32(out, at + field.sizeLo, of.size % 2 ** 32);
  put32(out, at + field.sizeHi, Math.floor(of.size / 2 ** 32));
  put16(out, at + field.linksCount, of.links);
  const sectors = of.blocks * (blockBytes / sectorBytes);
  put32(out, at + field.blocksLo, sectors % 2 ** 32);
  put16(out, at + field.blocksHi, Math.floor(sectors / 2 ** 32));
  put32(out, at + field.flags, of.flags);
  put32(out, at + field.fileAclLo, of.xattrBlock);
  writeTimes(out, at, of.time);
  put16(out, at + field.extraSize, extraInodeBytes);
  // `ext4_inode_csum` (fs/ext4/inode.c): over all 256 bytes, the checksum's own as zero.
  const end = hasXattrs ? inodeBytes : xattrAreaOffset;
  const head = crc32c(inodeSeed(seed, number), out, at, at + end);
  const checksum = crc32cZeros(head, inodeBytes - end);
  put16(out, at + field.checksumLo, checksum);
  put16(out, at + field.checksumHi, checksum >>> 16);
}

function writeTimes(out: Buffer, at: number, time: Timestamp): void {
  const seconds = time.seconds | 0;
  const extra = extraTimeWord(time);
  put32(out, at + field.atime, seconds);
  put32(out, at + field.ctime, seconds);
  put32(out, at + field.mtime, seconds);
  put32(out, at + field.crtime, seconds);
  put32(out, at + field.atimeExtra, extra);
  put32(out, at + field.ctimeExtra, extra);
  put32(out, at + field.mtimeExtra, extra);
  put32(out, at + field.crtimeExtra, extra);
}
