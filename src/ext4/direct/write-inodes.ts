import type { Sliced } from "../../base/slices.ts";
import type { Timestamp } from "../../layers/layer-index.ts";
import type { Inode } from "../../layers/root-tree.ts";
import { blockBytes, inodeBytes, inodesPerBlock } from "../geometry.ts";
import type { BlockQueue } from "./block-queue.ts";
import { itemAt } from "./column.ts";
import { encodeDevice } from "./device-number.ts";
import { encodeExtentBlocks, encodeExtentRoot } from "./extent-tree.ts";
import {
  blockAreaOffset,
  encodeInode,
  inodeFlags,
  inodeSeed,
  maxFastLink,
  typeBits,
  xattrAreaOffset,
  type InodeFields,
} from "./inode.ts";
import { inodeNumber, ordinalAt, usedInodes } from "./inode-numbers.ts";
import { reservedDescriptors } from "./group-layout.ts";
import type { MetadataPlan } from "./metadata-plan.ts";
import { doubleIndirectOffset, resizeInode, resizeInodeBlocks, resizeInodeBytes } from "./resize-inode.ts";
import { journalInode } from "./superblock.ts";

/** EXT4_LINK_MAX (fs/ext4/ext4.h): with dir_nlink, a directory with more links than that says 1, "unknown". */
const maxLinks = 65_000;

/** Where the bytes of one inode go. */
interface Slot {
  readonly out: Buffer;
  readonly at: number;
  readonly number: number;
}

/** Writes all inodes in use; the others stay zeros. Their extent trees are written by {@link writeExtentTrees}. */
export function* writeInodes(plan: MetadataPlan, queue: BlockQueue, seed: number): Sliced<void> {
  const { layout, numbers } = plan;
  for (let group = 0; group < layout.groups; group++) {
    const used = usedInodes(numbers, group);
    for (let block = 0; block * inodesPerBlock < used; block++) {
      const out = queue.block(itemAt(layout.inodeTables, group) + block);
      const end = Math.min(inodesPerBlock, used - block * inodesPerBlock);
      for (let i = 0; i < end; i++) {
        const index = block * inodesPerBlock + i;
        const number = group * layout.inodesPerGroup + index + 1;
        const slot = { out, at: i * inodeBytes, number };
        const ordinal = ordinalAt(numbers, group, index);
        if (ordinal === undefined) writeReservedInode(plan, slot, seed);
        else writeTreeInode(plan, ordinal, slot, seed);
      }
      yield;
    }
  }
}

function writeTreeInode(plan: MetadataPlan, ordinal: number, slot: Slot, seed: number): void {
  const inode = plan.list.inodes[ordinal];
  if (inode === undefined) return;
  const { out, at } = slot;
  const { xattrs, xattrBlocks, maps } = plan;
  const shared = xattrs.blockOf.get(ordinal);
  const body = xattrs.inInode.get(ordinal);
  body?.copy(out, at + xattrAreaOffset);
  const fields: InodeFields = {
    mode: typeBits[inode.kind] | inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    size: writeBlockArea(plan, inode, ordinal, slot),
    links: inode.kind === "directory" && inode.linkCount > maxLinks ? 1 : inode.linkCount,
    blocks: maps.blocksOf(ordinal) + (shared === undefined ? 0 : 1),
    flags: flagsOf(plan, inode, ordinal),
    xattrBlock: shared === undefined ? 0 : itemAt(xattrBlocks, shared),
    time: inode.mtime,
  };
  encodeInode(out, at, slot.number, fields, seed, body !== undefined);
}

function flagsOf({ directories }: MetadataPlan, inode: Inode, ordinal: number): number {
  switch (inode.kind) {
    case "file":
      return inodeFlags.extents;
    case "directory":
      return inodeFlags.extents | (directories.hashed.has(ordinal) ? inodeFlags.hashedDirectory : 0);
    case "symlink":
      return inode.target.length <= maxFastLink ? 0 : inodeFlags.extents;
    case "character":
    case "block":
    case "fifo":
      return 0;
  }
}

/** Fills `i_block`. Returns the size that the inode has. */
function writeBlockArea(plan: MetadataPlan, inode: Inode, ordinal: number, slot: Slot): number {
  const area = slot.at + blockAreaOffset;
  switch (inode.kind) {
    case "file":
      writeMap(plan, ordinal, slot);
      return inode.size;
    case "directory":
      writeMap(plan, ordinal, slot);
      return plan.maps.dataBlocksOf(ordinal) * blockBytes;
    case "symlink":
      if (inode.target.length <= maxFastLink) slot.out.write(inode.target, area, "latin1");
      else writeMap(plan, ordinal, slot);
      return inode.target.length;
    case "character":
    case "block":
      encodeDevice(slot.out, area, inode);
      return 0;
    case "fifo":
      return 0;
  }
}

/** The root of the extent tree: all of it, for most. */
function writeMap({ maps }: MetadataPlan, ordinal: number, { out, at }: Slot): void {
  encodeExtentRoot(maps.extentsOf(ordinal), (i) => maps.treeBlock(ordinal, i), out, at + blockAreaOffset);
}

/** Writes the blocks of the extent trees that have any. */
export function* writeExtentTrees(plan: MetadataPlan, queue: BlockQueue, seed: number): Sliced<void> {
  const { maps, numbers, list } = plan;
  for (const ordinal of maps.treeOwners()) {
    const number = ordinal === list.inodes.length ? journalInode : inodeNumber(numbers, ordinal);
    const place = (i: number): number => maps.treeBlock(ordinal, i);
    encodeExtentBlocks(maps.extentsOf(ordinal), place, (at) => queue.block(at), inodeSeed(seed, number));
    yield;
  }
}

/** The journal's and the resize inode's; the others are not in use and stay zeros, as mke2fs leaves them. */
function writeReservedInode(plan: MetadataPlan, slot: Slot, seed: number): void {
  const { layout, list, maps, journalBlocks, resizeBlock } = plan;
  const time: Timestamp = { seconds: list.newestSecond, nanoseconds: 0 };
  const owner = { mode: typeBits.file | 0o600, uid: 0, gid: 0, links: 1, xattrBlock: 0, time };
  if (slot.number === journalInode) {
    const ordinal = list.inodes.length;
    writeMap(plan, ordinal, slot);
    const size = journalBlocks * blockBytes;
    const fields = { ...owner, size, blocks: maps.blocksOf(ordinal), flags: inodeFlags.extents };
    encodeInode(slot.out, slot.at, slot.number, fields, seed, false);
  }
  if (slot.number === resizeInode) {
    slot.out.writeUInt32LE(resizeBlock, slot.at + blockAreaOffset + doubleIndirectOffset);
    const blocks = resizeInodeBlocks(reservedDescriptors(layout));
    const fields = { ...owner, size: resizeInodeBytes, blocks, flags: 0 };
    encodeInode(slot.out, slot.at, slot.number, fields, seed, false);
  }
}
