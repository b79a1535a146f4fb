import { crc32c, crc32cWord } from "../crc32c.ts";
import { corrupt } from "./corrupt.ts";
import { compat, incompat, roCompat, superblockOffset, type Superblock } from "./superblock.ts";

/** `struct ext4_group_desc`: Documentation/filesystems/ext4/group_descr.rst. From 0x20 on in 64-byte ones only. */
const field = {
  blockBitmapLo: 0x00,
  inodeBitmapLo: 0x04,
  inodeTableLo: 0x08,
  freeBlocksLo: 0x0c,
  freeInodesLo: 0x0e,
  usedDirsLo: 0x10,
  flags: 0x12,
  checksum: 0x1e,
  inodeTableHi: 0x28,
} as const;

/** What reading inodes needs of a block group. */
export interface GroupDescriptor {
  /** First block of the group's part of the inode table. */
  readonly inodeTable: number;
}

/** Where group `group`'s descriptor lies in the image, in bytes. */
export function descriptorPosition(sb: Superblock, group: number): number {
  const perBlock = sb.blockSize / sb.descriptorSize;
  const index = Math.floor(group / perBlock);
  return descriptorBlock(sb, index, perBlock) * sb.blockSize + (group % perBlock) * sb.descriptorSize;
}

/** Descriptors follow the superblock, or with meta_bg lie in the group that they begin with (overview.rst). */
function descriptorBlock(sb: Superblock, index: number, perBlock: number): number {
  const inMetaGroup = (sb.incompat & incompat.metaGroups) !== 0 && index >= sb.firstMetaGroup;
  const afterSuperblock = Math.floor(superblockOffset / sb.blockSize) + 1;
  if (!inMetaGroup) return afterSuperblock + index;
  // `descriptor_loc` (fs/ext4/super.c). With bigalloc, blocks of 1 KiB are counted from 0 like others.
  const group = index * perBlock;
  if (group === 0) return afterSuperblock;
  return sb.firstDataBlock + group * sb.blocksPerGroup + (hasSuperblock(sb, group) ? 1 : 0);
}

/** `ext4_bg_has_super`: all groups, or 0, 1 and powers of 3, 5 and 7 with sparse_super. */
function hasSuperblock(sb: Superblock, group: number): boolean {
  if (group === 0) return true;
  if ((sb.compat & compat.sparseSuper2) !== 0) return sb.backupGroups.includes(group);
  if (group <= 1 || (sb.roCompat & roCompat.sparseSuper) === 0) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** @throws BangerError FILESYSTEM_CORRUPT where the checksum is wrong or the inode table lies outside. */
export function parseGroupDescriptor(bytes: Buffer, group: number, sb: Superblock): GroupDescriptor {
  const place = { "block group": group };
  const expected = checksumOf(bytes, group, sb);
  if (expected !== undefined && expected !== bytes.readUInt16LE(field.checksum)) {
    throw corrupt(place, "the checksum of the descriptor differs");
  }
  const high = sb.descriptorSize >= 64 ? bytes.readUInt32LE(field.inodeTableHi) : 0;
  const inodeTable = high * 2 ** 32 + bytes.readUInt32LE(field.inodeTableLo);
  const blocks = Math.ceil((sb.inodesPerGroup * sb.inodeSize) / sb.blockSize);
  if (inodeTable <= sb.firstDataBlock || inodeTable + blocks > sb.blockCount) {
    throw corrupt(place, "the inode table lies outside of the file system");
  }
  return { inodeTable };
}

/** `ext4_group_desc_csum` (fs/ext4/super.c): the checksum itself counts as zero, or for CRC-16 not at all. */
function checksumOf(bytes: Buffer, group: number, sb: Superblock): number | undefined {
  if (sb.checksumSeed !== undefined) {
    const copy = Buffer.from(bytes);
    copy.writeUInt16LE(0, field.checksum);
    return crc32c(crc32cWord(sb.checksumSeed, group), copy) & 0xffff;
  }
  if ((sb.roCompat & roCompat.groupChecksums) === 0) return undefined;
  const number = Buffer.alloc(4);
  number.writeUInt32LE(group);
  let crc = crc16(0xffff, Buffer.from(sb.uuid.replaceAll("-", ""), "hex"));
  crc = crc16(crc, number);
  crc = crc16(crc, bytes.subarray(0, field.checksum));
  return crc16(crc, bytes.subarray(field.checksum + 2));
}

/** CRC-16 with the reflected polynomial 0xa001 (lib/crc16.c), bit by bit: it sees a few bytes a group. */
function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xa001;
  }
  return crc;
}
