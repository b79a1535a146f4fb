import { corrupt, type Place } from "./corrupt.ts";
import type { BlockSource, Extent } from "./extent.ts";
import type { Ext4Inode } from "./inode.ts";

/**
 * Documentation/filesystems/ext4/blockmap.rst: `i_block` holds twelve blocks of the file, then a block of block
 * numbers, a block of blocks of them, and one a level deeper. Zero is a hole.
 */
const directBlocks = 12;
const levels = 3;

interface Walk {
  readonly source: BlockSource;
  readonly place: Place;
  /** Blocks of the map met so far: one that comes twice would let a small image describe an endless file. */
  readonly seen: Set<number>;
  /** What is not yet handed out, so that neighbours join. */
  pending: Extent | undefined;
}

/** The runs of blocks of an inode without the extents flag, ascending. None is unwritten. */
export function* blockMap(inode: Ext4Inode, source: BlockSource): Generator<Extent, void, undefined> {
  const walk: Walk = { source, place: { inode: inode.number }, seen: new Set(), pending: undefined };
  yield* readPointers(inode.blockArea.subarray(0, directBlocks * 4), 0, 0, walk);
  const perBlock = source.superblock.blockSize / 4;
  let logical = directBlocks;
  for (let level = 1; level <= levels; level++) {
    const at = (directBlocks + level - 1) * 4;
    yield* readPointers(inode.blockArea.subarray(at, at + 4), level, logical, walk);
    logical += perBlock ** level;
  }
  if (walk.pending !== undefined) yield walk.pending;
}

/** `level` is how many blocks of block numbers lie between these pointers and the file's own blocks. */
function* readPointers(
  pointers: Buffer,
  level: number,
  logical: number,
  walk: Walk,
): Generator<Extent, void, undefined> {
  const { source, place, seen } = walk;
  const span = (source.superblock.blockSize / 4) ** level;
  for (let at = 0, block = logical; at < pointers.length; at += 4, block += span) {
    const physical = pointers.readUInt32LE(at);
    if (physical === 0) continue;
    if (level === 0) {
      yield* add(block, physical, walk);
      continue;
    }
    if (seen.has(physical)) throw corrupt(place, `the block map uses block ${physical} twice`);
    seen.add(physical);
    yield* readPointers(source.block(physical, { ...place, block: physical }), level - 1, block, walk);
  }
}

function* add(logical: number, physical: number, walk: Walk): Generator<Extent, void, undefined> {
  const { firstDataBlock, blockCount } = walk.source.superblock;
  if (physical <= firstDataBlock || physical >= blockCount || logical >= 2 ** 32) {
    throw corrupt(walk.place, `file block ${logical} lies outside of the file system`);
  }
  const { pending } = walk;
  if (
    pending !== undefined &&
    pending.logical + pending.length === logical &&
    pending.physical + pending.length === physical
  ) {
    walk.pending = { ...pending, length: pending.length + 1 };
    return;
  }
  if (pending !== undefined) yield pending;
  walk.pending = { logical, physical, length: 1, unwritten: false };
}
