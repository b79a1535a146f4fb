import { crc32c } from "../crc32c.ts";
import { blockBytes } from "../geometry.ts";
import { put16, put32 } from "./little-endian.ts";

/**
 * `struct ext4_extent_header`, `ext4_extent_idx`, `ext4_extent` and `ext4_extent_tail`: kernel
 * Documentation/filesystems/ext4/ifork.rst, "Extent Tree". Offsets in bytes, little-endian.
 */
const header = {
  magic: 0x0, // u16
  entries: 0x2, // u16, in use
  max: 0x4, // u16, room for
  depth: 0x6, // u16, levels below this node
  bytes: 12,
} as const;
const index = {
  block: 0x0, // u32, first block of the file that the child covers
  leafLo: 0x4, // u32, block of the child; its high half stays zero
} as const;
const leaf = {
  block: 0x0, // u32, first block of the file
  length: 0x4, // u16, blocks
  startLo: 0x8, // u32, first block of the disk; its high half stays zero
} as const;
const entryBytes = 12;
const magic = 0xf30a;

/** Extents, or children, that i_block has room for. */
export const extentsInInode = 4;
/** And one block, whose last four bytes are its checksum. */
export const extentsPerBlock = (blockBytes - header.bytes - 4) / entryBytes;
/** `EXT_INIT_MAX_LEN`: of an extent that is written. */
export const maxExtentBlocks = 32768;

/** The extents of one file by position: file block, disk block, length in blocks. */
export interface ExtentList {
  readonly count: number;
  logical(i: number): number;
  physical(i: number): number;
  length(i: number): number;
}

/** Blocks that the tree needs besides i_block. */
export function extentTreeBlocks(extents: number): number {
  let total = 0;
  for (let level = extents; level > extentsInInode;) {
    level = Math.ceil(level / extentsPerBlock);
    total += level;
  }
  return total;
}

/** A node's children: leaves of the tree have extents, other nodes have blocks of the tree. */
interface Level {
  readonly depth: number;
  readonly count: number;
  logical(i: number): number;
  write(out: Buffer, at: number, i: number): void;
}

/** Blocks of one tree: the leaves in the order of the file, then level by level up to the one below the root. */
type Place = (i: number) => number;

/** Writes the root of the tree, 60 bytes, to `out` from `at` on. */
export function encodeExtentRoot(extents: ExtentList, place: Place, out: Buffer, at: number): void {
  if (extents.count <= extentsInInode) {
    writeHeader(out, at, extents.count, extentsInInode, 0);
    for (let i = 0; i < extents.count; i++) writeLeaf(out, at + header.bytes + i * entryBytes, extents, i);
    return;
  }
  const root = levelsOf(extents, place).at(-1);
  if (root !== undefined) writeNode(out, at, root, 0, extentsInInode);
}

/** Writes the nodes below the root. `block` gives an empty block of the disk, which is filled before the next. */
export function encodeExtentBlocks(
  extents: ExtentList,
  place: Place,
  block: (number: number) => Buffer,
  seed: number,
): void {
  let used = 0;
  for (const level of levelsOf(extents, place).slice(0, -1)) {
    for (let first = 0; first < level.count; first += extentsPerBlock) {
      const out = block(place(used++));
      writeNode(out, 0, level, first, extentsPerBlock);
      const end = header.bytes + extentsPerBlock * entryBytes;
      // `ext4_extent_block_csum` (fs/ext4/extents.c): over all that the node has room for.
      out.writeUInt32LE(crc32c(seed, out, 0, end), end);
    }
  }
}

/** The leaves' level first, the root's last. */
function levelsOf(extents: ExtentList, place: Place): readonly Level[] {
  let level = leafLevel(extents);
  const levels = [level];
  for (let used = 0; level.count > extentsInInode;) {
    const nodes = Math.ceil(level.count / extentsPerBlock);
    level = indexLevel(level, nodes, used, place);
    levels.push(level);
    used += nodes;
  }
  return levels;
}

function leafLevel(extents: ExtentList): Level {
  return {
    depth: 0,
    count: extents.count,
    logical: (i) => extents.logical(i),
    write: (out, at, i) => writeLeaf(out, at, extents, i),
  };
}

function writeLeaf(out: Buffer, at: number, extents: ExtentList, i: number): void {
  put32(out, at + leaf.block, extents.logical(i));
  put16(out, at + leaf.length, extents.length(i));
  put32(out, at + leaf.startLo, extents.physical(i));
}

function indexLevel(below: Level, count: number, first: number, place: Place): Level {
  const logical = (i: number): number => below.logical(i * extentsPerBlock);
  return {
    depth: below.depth + 1,
    count,
    logical,
    write(out, at, i) {
      out.writeUInt32LE(logical(i), at + index.block);
      out.writeUInt32LE(place(first + i), at + index.leafLo);
    },
  };
}

function writeNode(out: Buffer, at: number, level: Level, from: number, max: number): void {
  const entries = Math.min(max, level.count - from);
  writeHeader(out, at, entries, max, level.depth);
  for (let i = 0; i < entries; i++) level.write(out, at + header.bytes + i * entryBytes, from + i);
}

function writeHeader(out: Buffer, at: number, entries: number, max: number, depth: number): void {
  put16(out, at + header.magic, magic);
  put16(out, at + header.entries, entries);
  put16(out, at + header.max, max);
  put16(out, at + header.depth, depth);
}
