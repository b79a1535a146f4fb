import { blockBytes } from "../geometry.ts";

/** kernel Documentation/filesystems/ext4/special_inodes.rst: reserved group descriptor blocks. */
export const resizeInode = 7;

/** Numbers of blocks are u32, so many a block: blockmap.rst. */
const pointersPerBlock = blockBytes / 4;
/** Of `i_block`: twelve blocks, then the indirect one, then the double indirect one, the only one in use. */
const directPointers = 12;
export const doubleIndirectOffset = (directPointers + 1) * 4;

/** Bytes that twelve, an indirect and a double indirect pointer can map: `ext2fs_create_resize_inode`. */
export const resizeInodeBytes = (pointersPerBlock ** 2 + pointersPerBlock + directPointers) * blockBytes;

export interface ReservedDescriptors {
  /** Blocks of descriptors in use, after the superblock, and blocks reserved after them. */
  readonly used: number;
  readonly reserved: number;
  /** First blocks of the groups with a copy of the superblock, group 0 left out. */
  readonly backups: readonly number[];
}

/** Blocks that the inode maps, and those of its map. */
export function resizeInodeBlocks({ reserved, backups }: ReservedDescriptors): number {
  return 1 + reserved * (1 + backups.length);
}

/**
 * Writes the map as `ext2fs_create_resize_inode` (libext2fs, res_gdt.c) lays it out and the kernel checks it
 * (`verify_reserved_gdb`, fs/ext4/resize.c): the double indirect block names the reserved blocks of group 0, each at
 * the place that it has among all descriptor blocks; each of them is an indirect block that names its copies.
 */
export function encodeResizeMap(
  of: ReservedDescriptors,
  doubleIndirect: number,
  block: (number: number) => Buffer,
): void {
  const firstReserved = 1 + of.used;
  for (let i = 0; i < of.reserved && of.backups.length > 0; i++) {
    const copies = block(firstReserved + i);
    for (const [j, group] of of.backups.entries()) copies.writeUInt32LE(group + firstReserved + i, j * 4);
  }
  const top = block(doubleIndirect);
  for (let i = 0; i < of.reserved; i++) {
    top.writeUInt32LE(firstReserved + i, ((of.used + i) % pointersPerBlock) * 4);
  }
}
