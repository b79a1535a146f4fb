import { crc32c } from "../crc32c.ts";
import { corrupt, type Place } from "./corrupt.ts";
import type { BlockSource, Extent } from "./extent.ts";
import type { Ext4Inode } from "./inode.ts";

/** `struct ext4_extent_header`, `_idx` and `ext4_extent`: Documentation/filesystems/ext4/ifork.rst, "Extent Tree". */
const header = { magic: 0x0, entries: 0x2, max: 0x4, depth: 0x6, bytes: 12 } as const;
const index = { block: 0x0, leafLo: 0x4, leafHi: 0x8 } as const;
const leaf = { block: 0x0, length: 0x4, startHi: 0x6, startLo: 0x8 } as const;
const entryBytes = 12;

const magic = 0xf30a;
/** Five levels map 2^32 blocks of 1 KiB (ifork.rst, `eh_depth`). */
const maxDepth = 5;
/** `EXT_INIT_MAX_LEN`: longer ones are unwritten, and this much shorter than they say. */
const maxWritten = 32768;

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * The extents of an inode with the extents flag, ascending, none overlapping another in the file. No block of
 * the tree is visited twice: each must lie within the range its parent gives it, and hold something.
 */
export function* extentTree(inode: Ext4Inode, source: BlockSource): Generator<Extent, void, undefined> {
  const place = { inode: inode.number };
  const root = inode.blockArea;
  const depth = root.readUInt16LE(header.depth);
  if (depth > maxDepth) throw corrupt(place, `the extent tree is ${depth} deep, more than ${maxDepth}`);
  yield* readNode(root, depth, { from: 0, to: 2 ** 32 }, { inode, source, place });
}

interface Walk {
  readonly inode: Ext4Inode;
  readonly source: BlockSource;
  readonly place: Place;
}

function* readNode(
  node: Buffer,
  depth: number,
  range: Range,
  walk: Walk,
): Generator<Extent, void, undefined> {
  const { place } = walk;
  const count = checkHeader(node, depth, place);
  let from = range.from;
  for (let i = 0; i < count; i++) {
    const at = header.bytes + i * entryBytes;
    const first = node.readUInt32LE(at);
    if (first < from || first >= range.to)
      throw corrupt(place, `extents are out of order at file block ${first}`);
    if (depth === 0) {
      const extent = parseLeaf(node, at, walk);
      from = extent.logical + extent.length;
      if (from > range.to) throw corrupt(place, `the extent at file block ${first} reaches into the next`);
      yield extent;
    } else {
      const next = i + 1 < count ? node.readUInt32LE(at + entryBytes) : range.to;
      if (next <= first || next > range.to)
        throw corrupt(place, `extents are out of order at file block ${next}`);
      from = next;
      yield* readChild(node, at, depth - 1, { from: first, to: next }, walk);
    }
  }
}

function* readChild(
  parent: Buffer,
  at: number,
  depth: number,
  range: Range,
  walk: Walk,
): Generator<Extent, void, undefined> {
  const number = parent.readUInt32LE(at + index.leafLo) + parent.readUInt16LE(at + index.leafHi) * 2 ** 32;
  const place = { ...walk.place, block: number };
  const node = walk.source.block(number, place);
  checkChecksum(node, walk.inode, place);
  if (node.readUInt16LE(header.entries) === 0) throw corrupt(place, "a node of the extent tree is empty");
  yield* readNode(node, depth, range, { ...walk, place });
}

/** Returns the number of entries. */
function checkHeader(node: Buffer, depth: number, place: Place): number {
  if (node.readUInt16LE(header.magic) !== magic)
    throw corrupt(place, "the extent header has no magic number");
  const found = node.readUInt16LE(header.depth);
  if (found !== depth) throw corrupt(place, `an extent node's depth is ${found}, not ${depth}`);
  const count = node.readUInt16LE(header.entries);
  const max = node.readUInt16LE(header.max);
  if (count > max || header.bytes + max * entryBytes > node.length) {
    throw corrupt(place, `an extent node has ${count} entries of at most ${max}, which don't fit`);
  }
  if (count === 0 && depth > 0) throw corrupt(place, "a node of the extent tree is empty");
  return count;
}

/** `ext4_extent_block_csum`: over all up to the tail, which follows the last possible entry. */
function checkChecksum(node: Buffer, inode: Ext4Inode, place: Place): void {
  if (inode.checksumSeed === undefined) return;
  const tail = header.bytes + node.readUInt16LE(header.max) * entryBytes;
  if (tail + 4 > node.length) throw corrupt(place, "an extent node has no room for its checksum");
  if (crc32c(inode.checksumSeed, node, 0, tail) !== node.readUInt32LE(tail)) {
    throw corrupt(place, "the checksum of the extent node differs");
  }
}

function parseLeaf(node: Buffer, at: number, { source, place }: Walk): Extent {
  const logical = node.readUInt32LE(at + leaf.block);
  const raw = node.readUInt16LE(at + leaf.length);
  const unwritten = raw > maxWritten;
  const length = unwritten ? raw - maxWritten : raw;
  const physical = node.readUInt16LE(at + leaf.startHi) * 2 ** 32 + node.readUInt32LE(at + leaf.startLo);
  if (length === 0) throw corrupt(place, `the extent at file block ${logical} is empty`);
  const { firstDataBlock, blockCount } = source.superblock;
  if (physical <= firstDataBlock || physical + length > blockCount) {
    throw corrupt(place, `the extent at file block ${logical} lies outside of the file system`);
  }
  return { logical, physical, length, unwritten };
}
