import { byteString, type ByteString } from "../../base/bytes.ts";
import { crc32c } from "../crc32c.ts";
import { corrupt, unsupported } from "./corrupt.ts";

/** The superblock begins 1,024 bytes into the file system, whatever the block size, and is as long. */
export const superblockOffset = 1024;
export const superblockBytes = 1024;

/** `struct ext4_super_block`: kernel Documentation/filesystems/ext4/super.rst. Little-endian. */
const field = {
  inodesCount: 0x00,
  blocksCountLo: 0x04,
  freeBlocksCountLo: 0x0c,
  freeInodesCount: 0x10,
  firstDataBlock: 0x14,
  logBlockSize: 0x18,
  blocksPerGroup: 0x20,
  inodesPerGroup: 0x28,
  magic: 0x38,
  revLevel: 0x4c,
  firstInode: 0x54,
  inodeSize: 0x58,
  featureCompat: 0x5c,
  featureIncompat: 0x60,
  featureRoCompat: 0x64,
  uuid: 0x68,
  volumeName: 0x78,
  hashSeed: 0xec,
  defHashVersion: 0xfc,
  descSize: 0xfe,
  firstMetaBg: 0x104,
  blocksCountHi: 0x150,
  freeBlocksCountHi: 0x158,
  backupGroups: 0x24c,
  checksumSeed: 0x270,
  checksum: 0x3fc,
} as const;

const magic = 0xef53;

/** `s_feature_compat`, those that change how something is read. */
export const compat = { sparseSuper2: 0x200 } as const;

/** `s_feature_incompat`. */
export const incompat = {
  compression: 0x1,
  fileType: 0x2,
  recover: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  extents: 0x40,
  bits64: 0x80,
  multiMountProtection: 0x100,
  flexibleGroups: 0x200,
  xattrInodes: 0x400,
  checksumSeed: 0x2000,
  largeDirectories: 0x4000,
  inlineData: 0x8000,
  encryption: 0x10000,
  caseFolding: 0x20000,
} as const;

/** `s_feature_ro_compat`: a reader may ignore those that it does not know (super.rst, "Feature ro_compat"). */
export const roCompat = {
  sparseSuper: 0x1,
  hugeFile: 0x8,
  groupChecksums: 0x10,
  metadataChecksums: 0x400,
} as const;

/** `xattrInodes` and `inlineData` are refused only where an inode makes use of them. */
const understood =
  incompat.fileType |
  incompat.metaGroups |
  incompat.extents |
  incompat.bits64 |
  incompat.multiMountProtection |
  incompat.flexibleGroups |
  incompat.xattrInodes |
  incompat.checksumSeed |
  incompat.largeDirectories |
  incompat.inlineData;

/** What the superblock says, with its geometry proven consistent. Sizes in bytes, counts in blocks or inodes. */
export interface Superblock {
  readonly blockSize: number;
  readonly blockCount: number;
  readonly freeBlocks: number;
  readonly inodeCount: number;
  readonly freeInodes: number;
  /** Where block groups are counted from: 1 with blocks of 1 KiB (but not with bigalloc), otherwise 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly groupCount: number;
  readonly inodeSize: number;
  /** The first inode that is not reserved. */
  readonly firstInode: number;
  readonly descriptorSize: number;
  /** Blocks of group descriptors from this one on lie in the groups that they describe, where `metaGroups` is set. */
  readonly firstMetaGroup: number;
  /** With sparse_super2, the two block groups that hold a copy of the superblock. */
  readonly backupGroups: readonly number[];
  /** `8-4-4-4-12` hex digits, as is `hashSeed`. */
  readonly uuid: string;
  readonly hashSeed: string;
  /** `s_def_hash_version`: 0 legacy, 1 half MD4, 2 TEA. */
  readonly hashVersion: number;
  readonly volumeName: ByteString;
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
  /** Where every metadata checksum starts; undefined without `metadata_csum`. */
  readonly checksumSeed: number | undefined;
}

const place = { superblock: "primary" };

/**
 * Parses the primary superblock's 1,024 bytes.
 *
 * @throws BangerError FILESYSTEM_CORRUPT, or NOT_IMPLEMENTED for a feature that changes the format.
 */
export function parseSuperblock(bytes: Buffer, imageBytes: number): Superblock {
  const u32 = (offset: number): number => bytes.readUInt32LE(offset);
  const u16 = (offset: number): number => bytes.readUInt16LE(offset);
  if (bytes.length < superblockBytes || u16(field.magic) !== magic)
    throw corrupt(place, "the magic number is not ext4's");
  // Revision 0 has neither features nor another inode size.
  const dynamic = u32(field.revLevel) >= 1;
  const features = {
    compat: dynamic ? u32(field.featureCompat) : 0,
    incompat: dynamic ? u32(field.featureIncompat) : 0,
    roCompat: dynamic ? u32(field.featureRoCompat) : 0,
  };
  const checksums = (features.roCompat & roCompat.metadataChecksums) !== 0;
  if (checksums && crc32c(0xffffffff, bytes, 0, field.checksum) !== u32(field.checksum)) {
    throw corrupt(place, "the checksum differs");
  }
  checkFeatures(features.incompat);
  const wide = (features.incompat & incompat.bits64) !== 0;
  const count64 = (low: number, high: number): number => u32(low) + (wide ? u32(high) * 2 ** 32 : 0);
  const logBlockSize = u32(field.logBlockSize);
  if (logBlockSize > 6) throw corrupt(place, `the block size is 2^${10 + logBlockSize}, more than 64 KiB`);
  const blockCount = count64(field.blocksCountLo, field.blocksCountHi);
  const firstDataBlock = u32(field.firstDataBlock);
  const blocksPerGroup = u32(field.blocksPerGroup);
  const superblock: Superblock = {
    ...features,
    blockSize: 1024 << logBlockSize,
    blockCount,
    freeBlocks: count64(field.freeBlocksCountLo, field.freeBlocksCountHi),
    inodeCount: u32(field.inodesCount),
    freeInodes: u32(field.freeInodesCount),
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup: u32(field.inodesPerGroup),
    groupCount: Math.ceil((blockCount - firstDataBlock) / Math.max(1, blocksPerGroup)),
    inodeSize: dynamic ? u16(field.inodeSize) : 128,
    firstInode: dynamic ? u32(field.firstInode) : 11,
    descriptorSize: wide ? u16(field.descSize) : 32,
    firstMetaGroup: u32(field.firstMetaBg),
    backupGroups: [u32(field.backupGroups), u32(field.backupGroups + 4)],
    uuid: formatUuid(bytes, field.uuid),
    hashSeed: formatUuid(bytes, field.hashSeed),
    hashVersion: bytes.readUInt8(field.defHashVersion),
    volumeName: nameUpToNul(bytes.subarray(field.volumeName, field.volumeName + 16)),
    checksumSeed: checksums ? seedOf(bytes, features.incompat) : undefined,
  };
  checkGeometry(superblock, imageBytes);
  return superblock;
}

function checkFeatures(flags: number): void {
  if ((flags & incompat.recover) !== 0) {
    throw unsupported(
      place,
      "a journal that has yet to be replayed (run e2fsck first): the feature needs_recovery",
    );
  }
  for (const [name, bit] of Object.entries(incompat)) {
    if ((flags & bit & ~understood) !== 0) throw unsupported(place, `the feature ${name}`);
  }
  const unknown = flags & ~understood;
  if (unknown !== 0) throw unsupported(place, `the incompatible feature 0x${(unknown >>> 0).toString(16)}`);
}

/** The kernel's rules in `ext4_fill_super` (fs/ext4/super.c): every later division and bound rests on them. */
function checkGeometry(sb: Superblock, imageBytes: number): void {
  const must = (holds: boolean, rule: string): void => {
    if (!holds) throw corrupt(place, rule);
  };
  const powerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0;
  const bitsOfABlock = 8 * sb.blockSize;
  must(
    sb.firstDataBlock <= 1 && sb.firstDataBlock < sb.blockCount,
    "the first data block is neither 0 nor 1",
  );
  must(sb.blockCount * sb.blockSize <= imageBytes, "there are more blocks than the image has bytes for");
  must(
    powerOfTwo(sb.inodeSize) && sb.inodeSize >= 128 && sb.inodeSize <= sb.blockSize,
    "the inode size is impossible",
  );
  must(
    powerOfTwo(sb.descriptorSize) && sb.descriptorSize >= 32 && sb.descriptorSize <= sb.blockSize,
    "the group descriptor size is impossible",
  );
  must(
    (sb.incompat & incompat.bits64) === 0 || sb.descriptorSize >= 64,
    "64-bit group descriptors are less than 64 bytes",
  );
  must(sb.blocksPerGroup > 0, "a block group has no blocks");
  must(
    sb.inodesPerGroup > 0 && sb.inodesPerGroup <= bitsOfABlock,
    "a block group has an impossible number of inodes",
  );
  must(
    sb.inodesPerGroup * sb.inodeSize < sb.blocksPerGroup * sb.blockSize,
    "a block group's inodes don't fit into its blocks",
  );
  must(
    sb.inodeCount === sb.groupCount * sb.inodesPerGroup,
    "the inode count differs from that of the block groups",
  );
  must(sb.firstInode >= 11 && sb.firstInode <= sb.inodeCount, "the first inode is impossible");
}

/** metadata_csum_seed keeps checksums valid when the UUID is changed (super.rst, `s_checksum_seed`). */
function seedOf(bytes: Buffer, flags: number): number {
  if ((flags & incompat.checksumSeed) !== 0) return bytes.readUInt32LE(field.checksumSeed);
  return crc32c(0xffffffff, bytes, field.uuid, field.uuid + 16);
}

function formatUuid(bytes: Buffer, offset: number): string {
  const hex = bytes.toString("hex", offset, offset + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function nameUpToNul(bytes: Buffer): ByteString {
  const end = bytes.indexOf(0);
  return byteString(bytes, 0, end < 0 ? bytes.length : end);
}
