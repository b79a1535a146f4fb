import { crc32c, crc32cWord } from "../crc32c.ts";

/** With the feature 64bit: group_descr.rst. */
export const descriptorBytes = 64;

/**
 * `struct ext4_group_desc`, kernel Documentation/filesystems/ext4/group_descr.rst: offsets in bytes, little-endian;
 * each number's low half, and its high half past 0x20.
 */
const field = {
  blockBitmap: [0x00, 0x20], // u32 + u32, block
  inodeBitmap: [0x04, 0x24], // u32 + u32, block
  inodeTable: [0x08, 0x28], // u32 + u32, first block
  freeBlocks: [0x0c, 0x2c], // u16 + u16, blocks
  freeInodes: [0x0e, 0x2e], // u16 + u16
  usedDirs: [0x10, 0x30], // u16 + u16, directories
  flags: 0x12, // u16, "Block group flags"
  blockBitmapChecksum: [0x18, 0x38], // u16 + u16, CRC-32C of the bitmap's bits of blocks
  inodeBitmapChecksum: [0x1a, 0x3a], // u16 + u16, CRC-32C of the bitmap's bits of inodes
  unusedInodes: [0x1c, 0x32], // u16 + u16, at the end of the table, never used and not read
  checksum: 0x1e, // u16, low half of the CRC-32C of group number and descriptor
} as const;

/** "Block group flags" of group_descr.rst. */
export const groupFlags = {
  /** The inode bitmap is not initialised, as no inode is in use. */
  inodeUninit: 0x1,
  /** The block bitmap is not initialised: nothing but copies of superblock and descriptors. */
  blockUninit: 0x2,
  /** The inode table reads as zeros where it is not in use. */
  inodeZeroed: 0x4,
} as const;

export interface DescriptorFields {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly usedDirs: number;
  readonly unusedInodes: number;
  readonly flags: number;
  /** 0 where the bitmap is not initialised. */
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
}

/** Writes the descriptor of group `group` to `out` from `at` on, which holds zeros. */
export function encodeGroupDescriptor(
  out: Buffer,
  at: number,
  group: number,
  of: DescriptorFields,
  seed: number,
): void {
  const u32 = ([low]: readonly [number, number], value: number): unknown =>
    out.writeUInt32LE(value, at + low);
  const u16 = ([low, high]: readonly [number, number], value: number): void => {
    out.writeUInt16LE(value & 0xffff, at + low);
    out.writeUInt16LE(value >>> 16, at + high);
  };
  // Block numbers stay below 2^32, as resize_inode reaches no further: their high halves are zero.
  u32(field.blockBitmap, of.blockBitmap);
  u32(field.inodeBitmap, of.inodeBitmap);
  u32(field.inodeTable, of.inodeTable);
  u16(field.freeBlocks, of.freeBlocks);
  u16(field.freeInodes, of.freeInodes);
  u16(field.usedDirs, of.usedDirs);
  out.writeUInt16LE(of.flags, at + field.flags);
  u16(field.blockBitmapChecksum, of.blockBitmapChecksum);
  u16(field.inodeBitmapChecksum, of.inodeBitmapChecksum);
  u16(field.unusedInodes, of.unusedInodes);
  // `ext4_group_desc_csum` (fs/ext4/super.c): the checksum's own bytes count as zero.
  const checksum = crc32c(crc32cWord(seed, group), out, at, at + descriptorBytes);
  out.writeUInt16LE(checksum & 0xffff, at + field.checksum);
}
