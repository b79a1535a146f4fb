import { crc32c } from "../crc32c.ts";
import { blockBytes, blocksPerGroup, inodeBytes } from "../geometry.ts";
import { descriptorBytes } from "./group-descriptor.ts";

/** Where the superblock begins in the file system, and how long it is: super.rst. */
export const superblockOffset = 1024;
export const superblockBytes = 1024;

/**
 * `struct ext4_super_block`, kernel Documentation/filesystems/ext4/super.rst: offsets in bytes, all numbers
 * little-endian. What is not here stays zero, as mke2fs leaves it.
 */
const field = {
  inodesCount: 0x00, // u32
  blocksCountLo: 0x04, // u32, blocks
  freeBlocksCountLo: 0x0c, // u32, blocks
  freeInodesCount: 0x10, // u32
  logBlockSize: 0x18, // u32, the block size is 2^(10 + this) bytes
  logClusterSize: 0x1c, // u32, the same without bigalloc
  blocksPerGroup: 0x20, // u32
  clustersPerGroup: 0x24, // u32, as blocksPerGroup without bigalloc
  inodesPerGroup: 0x28, // u32
  wtime: 0x30, // u32, seconds since 1970: last write
  maxMountCount: 0x36, // u16, mounts until a check; 0xffff for never
  magic: 0x38, // u16
  state: 0x3a, // u16, 1 for cleanly unmounted
  errors: 0x3c, // u16, 1 to continue after an error
  lastCheck: 0x40, // u32, seconds since 1970
  revLevel: 0x4c, // u32, 1 for features and inodes of any size
  firstInode: 0x54, // u32, the first that is not reserved
  inodeSize: 0x58, // u16, bytes
  blockGroup: 0x5a, // u16, the group that this copy lies in
  featureCompat: 0x5c, // u32
  featureIncompat: 0x60, // u32
  featureRoCompat: 0x64, // u32
  uuid: 0x68, // 16 bytes
  reservedGdtBlocks: 0xce, // u16, blocks
  journalInode: 0xe0, // u32
  hashSeed: 0xec, // 4 × u32
  defHashVersion: 0xfc, // u8, 1 for half MD4
  journalBackupType: 0xfd, // u8, 1: journalBlocks holds a copy of the journal's map
  descSize: 0xfe, // u16, bytes
  defaultMountOptions: 0x100, // u32
  mkfsTime: 0x108, // u32, seconds since 1970
  journalBlocks: 0x10c, // 17 × u32: i_block of the journal's inode, then the high and the low half of its size
  blocksCountHi: 0x150, // u32
  freeBlocksCountHi: 0x158, // u32
  minExtraIsize: 0x15c, // u16, bytes of fields that every inode has past the first 128
  wantExtraIsize: 0x15e, // u16, that new inodes get
  flags: 0x160, // u32, "Superblock flags"
  logGroupsPerFlex: 0x174, // u8, a flexible group is 2^this groups
  checksumType: 0x175, // u8, 1 for CRC-32C
  checksum: 0x3fc, // u32, CRC-32C of all before it
} as const;

const magic = 0xef53;

/** "Feature Compatibility": s_feature_compat. */
const compat = { hasJournal: 0x4, extAttr: 0x8, resizeInode: 0x10, dirIndex: 0x20 } as const;
/** s_feature_incompat. */
const incompat = { fileType: 0x2, extents: 0x40, bits64: 0x80, flexBg: 0x200 } as const;
/** s_feature_ro_compat. */
const roCompat = {
  sparseSuper: 0x1,
  largeFile: 0x2,
  hugeFile: 0x8,
  dirNlink: 0x20,
  extraIsize: 0x40,
  metadataCsum: 0x400,
} as const;

/** "Default mount options", EXT4_DEFM_XATTR_USER and EXT4_DEFM_ACL. */
const defaultMountOptions = 0x4 | 0x8;
/** "Superblock flags": directory hashes read the bytes of a name as unsigned. */
const unsignedHash = 0x2;

/** Bytes of fields past the first 128 of an inode: up to `i_projid` (inodes.rst). */
export const extraInodeBytes = 32;
/** Groups whose bitmaps and inode tables lie together are 2^this many: the default of mke2fs. */
export const logGroupsPerFlex = 4;
/** Inodes 1 to 10 are reserved (special_inodes.rst). */
export const firstInode = 11;
export const journalInode = 8;

export interface SuperblockFields {
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly inodes: number;
  readonly freeInodes: number;
  readonly inodesPerGroup: number;
  readonly reservedDescriptorBlocks: number;
  /** 16 bytes each. */
  readonly uuid: Buffer;
  readonly hashSeed: Buffer;
  /** Seconds since 1970, of making and of checking. */
  readonly time: number;
  /** `i_block` of the journal's inode, 60 bytes, and its size in bytes. */
  readonly journalMap: Buffer;
  readonly journalBytes: number;
}

/** One copy of the superblock, 1,024 bytes, for group `group`. */
export function encodeSuperblock(of: SuperblockFields, group: number): Buffer {
  const out = Buffer.alloc(superblockBytes);
  const u32 = (offset: number, value: number): unknown => out.writeUInt32LE(value, offset);
  const u16 = (offset: number, value: number): unknown => out.writeUInt16LE(value, offset);
  u32(field.inodesCount, of.inodes);
  u32(field.blocksCountLo, of.blocks % 2 ** 32);
  u32(field.blocksCountHi, Math.floor(of.blocks / 2 ** 32));
  u32(field.freeBlocksCountLo, of.freeBlocks % 2 ** 32);
  u32(field.freeBlocksCountHi, Math.floor(of.freeBlocks / 2 ** 32));
  u32(field.freeInodesCount, of.freeInodes);
  u32(field.logBlockSize, Math.log2(blockBytes) - 10);
  u32(field.logClusterSize, Math.log2(blockBytes) - 10);
  u32(field.blocksPerGroup, blocksPerGroup);
  u32(field.clustersPerGroup, blocksPerGroup);
  u32(field.inodesPerGroup, of.inodesPerGroup);
  u16(field.maxMountCount, 0xffff);
  u16(field.magic, magic);
  u16(field.state, 1);
  u16(field.errors, 1);
  u32(field.lastCheck, of.time);
  u32(field.mkfsTime, of.time);
  u32(field.revLevel, 1);
  u32(field.firstInode, firstInode);
  u16(field.inodeSize, inodeBytes);
  u16(field.blockGroup, Math.min(group, 0xffff));
  writeFeatures(out);
  of.uuid.copy(out, field.uuid);
  u16(field.reservedGdtBlocks, of.reservedDescriptorBlocks);
  u32(field.journalInode, journalInode);
  of.hashSeed.copy(out, field.hashSeed);
  out.writeUInt8(1, field.defHashVersion);
  out.writeUInt8(1, field.journalBackupType);
  of.journalMap.copy(out, field.journalBlocks);
  u32(field.journalBlocks + 15 * 4, Math.floor(of.journalBytes / 2 ** 32));
  u32(field.journalBlocks + 16 * 4, of.journalBytes % 2 ** 32);
  u16(field.descSize, descriptorBytes);
  u32(field.defaultMountOptions, defaultMountOptions);
  u16(field.minExtraIsize, extraInodeBytes);
  u16(field.wantExtraIsize, extraInodeBytes);
  u32(field.flags, unsignedHash);
  out.writeUInt8(logGroupsPerFlex, field.logGroupsPerFlex);
  out.writeUInt8(1, field.checksumType);
  u32(field.checksum, crc32c(0xffffffff, out, 0, field.checksum));
  return out;
}

function writeFeatures(out: Buffer): void {
  const all = (bits: Readonly<Record<string, number>>): number =>
    Object.values(bits).reduce((sum, bit) => sum | bit, 0);
  out.writeUInt32LE(all(compat), field.featureCompat);
  out.writeUInt32LE(all(incompat), field.featureIncompat);
  out.writeUInt32LE(all(roCompat), field.featureRoCompat);
}

/** Where all checksums of metadata start: over the UUID (checksums.rst). */
export function checksumSeed(uuid: Buffer): number {
  return crc32c(0xffffffff, uuid);
}
