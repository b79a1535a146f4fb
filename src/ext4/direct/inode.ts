import type { Timestamp } from "../../layers/layer-index.ts";
import { crc32c, crc32cWord } from "../crc32c.ts";
import { blockBytes, inodeBytes } from "../geometry.ts";
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
 * those come first, as the checksum covers them.
 */
export function encodeInode(out: Buffer, at: number, number: number, of: InodeFields, seed: number): void {
  out.writeUInt16LE(of.mode, at + field.mode);
  out.writeUInt16LE(of.uid & 0xffff, at + field.uidLo);
  out.writeUInt16LE(of.uid >>> 16, at + field.uidHi);
  out.writeUInt16LE(of.gid & 0xffff, at + field.gidLo);
  out.writeUInt16LE(of.gid >>> 16, at + field.gidHi);
  out.writeUInt32LE(of.size % 2 ** 32, at + field.sizeLo);
  out.writeUInt32LE(Math.floor(of.size / 2 ** 32), at + field.sizeHi);
  out.writeUInt16LE(of.links, at + field.linksCount);
  const sectors = of.blocks * (blockBytes / sectorBytes);
  out.writeUInt32LE(sectors % 2 ** 32, at + field.blocksLo);
  out.writeUInt16LE(Math.floor(sectors / 2 ** 32), at + field.blocksHi);
  out.writeUInt32LE(of.flags, at + field.flags);
  out.writeUInt32LE(of.xattrBlock, at + field.fileAclLo);
  writeTimes(out, at, of.time);
  out.writeUInt16LE(extraInodeBytes, at + field.extraSize);
  // `ext4_inode_csum` (fs/ext4/inode.c): over all 256 bytes, the checksum's own as zero.
  const checksum = crc32c(inodeSeed(seed, number), out, at, at + inodeBytes);
  out.writeUInt16LE(checksum & 0xffff, at + field.checksumLo);
  out.writeUInt16LE(checksum >>> 16, at + field.checksumHi);
}

function writeTimes(out: Buffer, at: number, time: Timestamp): void {
  const seconds = time.seconds | 0;
  const extra = extraTimeWord(time);
  out.writeInt32LE(seconds, at + field.atime);
  out.writeInt32LE(seconds, at + field.ctime);
  out.writeInt32LE(seconds, at + field.mtime);
  out.writeInt32LE(seconds, at + field.crtime);
  out.writeUInt32LE(extra, at + field.atimeExtra);
  out.writeUInt32LE(extra, at + field.ctimeExtra);
  out.writeUInt32LE(extra, at + field.mtimeExtra);
  out.writeUInt32LE(extra, at + field.crtimeExtra);
}
