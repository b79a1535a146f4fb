import type { Sliced } from "../../base/slices.ts";
import { crc32c } from "../crc32c.ts";
import { blockBytes, blocksPerGroup, hasBackup } from "../geometry.ts";
import { setBits } from "./bitmap.ts";
import type { BlockQueue } from "./block-queue.ts";
import { itemAt } from "./column.ts";
import { encodeExtentRoot } from "./extent-tree.ts";
import { descriptorBytes, encodeGroupDescriptor, groupFlags } from "./group-descriptor.ts";
import { blocksOfGroup } from "./group-layout.ts";
import { blockAreaBytes } from "./inode.ts";
import { groupOfInode, inodeNumber, usedInodes } from "./inode-numbers.ts";
import type { MetadataPlan } from "./metadata-plan.ts";
import { encodeSuperblock, superblockOffset, type SuperblockFields } from "./superblock.ts";

/** Bits of a bitmap: the end of each that stands for nothing is set (bitmaps.rst). */
const bitsPerBitmap = 8 * blockBytes;

/** What a group's two bitmaps say, and where one is left out. */
interface Bitmap {
  readonly free: number;
  /** 0 where it is left out. */
  readonly checksum: number;
  readonly isWritten: boolean;
}

interface Totals {
  readonly descriptors: Buffer;
  readonly freeBlocks: number;
}

/** Writes bitmaps, descriptors and superblocks, the first superblock last: until then, it is no file system. */
export function* writeGroups(plan: MetadataPlan, queue: BlockQueue, seed: number): Sliced<void> {
  const { descriptors, freeBlocks } = yield* writeBitmaps(plan, queue, seed);
  const fields = superblockFields(plan, freeBlocks);
  for (const start of [...plan.layout.backups.toReversed(), 0]) {
    const group = start / blocksPerGroup;
    // That of group 0 leaves room for a boot sector (super.rst).
    encodeSuperblock(fields, group).copy(queue.block(start), group === 0 ? superblockOffset : 0);
    for (let i = 0; i < plan.layout.descriptorBlocks; i++) {
      descriptors.copy(queue.block(start + 1 + i), 0, i * blockBytes, (i + 1) * blockBytes);
      if (i % 64 === 63) yield;
    }
    yield;
  }
}

function* writeBitmaps(plan: MetadataPlan, queue: BlockQueue, seed: number): Sliced<Totals> {
  const { layout, numbers } = plan;
  const descriptors = Buffer.alloc(layout.descriptorBlocks * blockBytes);
  const directories = directoriesByGroup(plan);
  const blockBitmaps: Bitmap[] = [];
  for (let group = 0; group < layout.groups; group++) {
    blockBitmaps.push(writeBlockBitmap(plan, queue, group, seed));
    if (group % 16 === 15) yield;
  }
  let freeBlocks = 0;
  for (const [group, blocks] of blockBitmaps.entries()) {
    const inodes = writeInodeBitmap(plan, queue, group, seed);
    freeBlocks += blocks.free;
    const flags =
      groupFlags.inodeZeroed |
      (blocks.isWritten ? 0 : groupFlags.blockUninit) |
      (inodes.isWritten ? 0 : groupFlags.inodeUninit);
    const fields = {
      blockBitmap: itemAt(layout.blockBitmaps, group),
      inodeBitmap: itemAt(layout.inodeBitmaps, group),
      inodeTable: itemAt(layout.inodeTables, group),
      freeBlocks: blocks.free,
      freeInodes: inodes.free,
      usedDirs: itemAt(directories, group),
      unusedInodes: layout.inodesPerGroup - usedInodes(numbers, group),
      flags,
      blockBitmapChecksum: blocks.checksum,
      inodeBitmapChecksum: inodes.checksum,
    };
    encodeGroupDescriptor(descriptors, group * descriptorBytes, group, fields, seed);
    if (group % 16 === 15) yield;
  }
  return { descriptors, freeBlocks };
}

/**
 * A group that holds nothing but its copy of the superblock, if any, needs no bitmap: the kernel makes one
 * (`ext4_init_block_bitmap`, fs/ext4/balloc.c). mke2fs never leaves out the last one's.
 */
function writeBlockBitmap(plan: MetadataPlan, queue: BlockQueue, group: number, seed: number): Bitmap {
  const { layout, free } = plan;
  const first = group * blocksPerGroup;
  const blocks = blocksOfGroup(layout, group);
  const runs = [...free.between(first, first + blocks)];
  const freeBlocks = runs.reduce((sum, { length }) => sum + length, 0);
  const ownBlocks = hasBackup(group) ? 1 + layout.descriptorBlocks + layout.reservedDescriptorBlocks : 0;
  if (group > 0 && group < layout.groups - 1 && freeBlocks + ownBlocks === blocks) {
    return { free: freeBlocks, checksum: 0, isWritten: false };
  }
  const out = queue.block(itemAt(layout.blockBitmaps, group));
  let next = 0;
  for (const { start, length } of runs) {
    setBits(out, next, start - first);
    next = start - first + length;
  }
  setBits(out, next, bitsPerBitmap);
  return { free: freeBlocks, checksum: crc32c(seed, out, 0, blocksPerGroup / 8), isWritten: true };
}

function writeInodeBitmap(plan: MetadataPlan, queue: BlockQueue, group: number, seed: number): Bitmap {
  const { layout, numbers } = plan;
  const used = usedInodes(numbers, group);
  const free = layout.inodesPerGroup - used;
  if (used === 0) return { free, checksum: 0, isWritten: false };
  const out = queue.block(itemAt(layout.inodeBitmaps, group));
  setBits(out, 0, used);
  setBits(out, layout.inodesPerGroup, bitsPerBitmap);
  return { free, checksum: crc32c(seed, out, 0, layout.inodesPerGroup / 8), isWritten: true };
}

function directoriesByGroup({ layout, list, numbers }: MetadataPlan): Uint32Array {
  const counts = new Uint32Array(layout.groups);
  for (let i = 0; i < list.directories.length; i++) {
    const group = groupOfInode(numbers, inodeNumber(numbers, list.directories.at(i)));
    counts[group] = itemAt(counts, group) + 1;
  }
  return counts;
}

function superblockFields(plan: MetadataPlan, freeBlocks: number): SuperblockFields {
  const { layout, list, numbers, maps, uuid, hashSeed } = plan;
  const journal = list.inodes.length;
  const journalMap = Buffer.alloc(blockAreaBytes);
  encodeExtentRoot(maps.extentsOf(journal), (i) => maps.treeBlock(journal, i), journalMap, 0);
  const inodes = layout.groups * layout.inodesPerGroup;
  return {
    blocks: layout.blocks,
    freeBlocks,
    inodes,
    freeInodes: inodes - numbers.used,
    inodesPerGroup: layout.inodesPerGroup,
    reservedDescriptorBlocks: layout.reservedDescriptorBlocks,
    uuid,
    hashSeed,
    time: list.newestSecond,
    journalMap,
    journalBytes: plan.journalBlocks * blockBytes,
  };
}
