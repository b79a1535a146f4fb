import { itemAt } from "./column.ts";
import type { Sliced } from "../../base/slices.ts";
import { directoryEntryBytes, dotsBytes } from "../space-needs.ts";
import { directoryRoom } from "./directory-block.ts";
import { hashTreeNodes, maxLeaves } from "./hash-tree.ts";
import type { InodeList } from "./inode-list.ts";
import { NameHasher } from "./name-hash.ts";
import { sortIndices } from "./sort-indices.ts";

/** How the names of a directory of several blocks are laid out. */
export interface LargeDirectory {
  /** Names counted from the directory's first, in the order of the disk. */
  readonly order: Uint32Array;
  /** Positions in `order` at which a block of names begins. */
  readonly starts: Uint32Array;
  /** The least hash of each block of names; undefined where a linear directory is all that ext4 can have. */
  readonly leafHashes: Uint32Array | undefined;
}

export interface DirectoryPlans {
  /** Blocks of each directory, in the order of the list. */
  readonly blocks: Uint32Array;
  /** By position in the list: those whose names need more than one block. */
  readonly large: ReadonlyMap<number, LargeDirectory>;
  /** Ordinals of those with a hash tree. */
  readonly hashed: ReadonlySet<number>;
}

/** mke2fs makes it as large, so that e2fsck need not look for room when it has found something. */
const lostAndFoundBlocks = 4;
/** Names between two pauses. */
const slice = 4096;

/**
 * Counts the blocks of every directory, and hashes and sorts the names of those that need several: `dir_index` keeps a
 * look-up in them from reading every block.
 */
export function* planDirectories(list: InodeList, hashSeed: Buffer): Sliced<DirectoryPlans> {
  const { directories, names } = list;
  const blocks = new Uint32Array(directories.length);
  const large = new Map<number, LargeDirectory>();
  const hashed = new Set<number>();
  const hasher = new NameHasher(hashSeed);
  let sincePause = 0;
  for (let i = 0; i < directories.length; i++) {
    const [first, end] = namesOf(list, i);
    let bytes = dotsBytes;
    for (let name = first; name < end; name++) bytes += directoryEntryBytes(names[name] ?? "");
    sincePause += 1 + end - first;
    if (bytes <= directoryRoom) blocks[i] = directories.at(i) === 1 ? lostAndFoundBlocks : 1;
    else {
      const plan = yield* planLarge(list, first, end, hasher);
      large.set(i, plan);
      if (plan.leafHashes !== undefined) hashed.add(directories.at(i));
      blocks[i] = blocksOf(plan);
    }
    if (sincePause < slice) continue;
    sincePause = 0;
    yield;
  }
  return { blocks, large, hashed };
}

/** The names of the directory at that position of the list: the first, and the first that is not of it. */
export function namesOf({ firstNames, names }: InodeList, position: number): readonly [number, number] {
  const end = position + 1 < firstNames.length ? firstNames.at(position + 1) : names.length;
  return [firstNames.at(position), end];
}

function blocksOf({ starts, leafHashes }: LargeDirectory): number {
  return leafHashes === undefined ? starts.length : 1 + starts.length + hashTreeNodes(starts.length);
}

function* planLarge(list: InodeList, first: number, end: number, hasher: NameHasher): Sliced<LargeDirectory> {
  const count = end - first;
  const sizes = new Uint16Array(count);
  const hashes = new Uint32Array(count);
  const minors = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const name = list.names[first + i];
    if (name === undefined) continue;
    sizes[i] = directoryEntryBytes(name);
    hashes[i] = hasher.hash(name);
    minors[i] = hasher.minor;
    if (i % slice === slice - 1) yield;
  }
  const order = yield* sortIndices(
    count,
    (a, b) => itemAt(hashes, a) - itemAt(hashes, b) || itemAt(minors, a) - itemAt(minors, b),
  );
  const starts = pack(order, sizes, 0);
  if (starts.length <= maxLeaves) return { order, starts, leafHashes: leastHashes(order, starts, hashes) };
  const inOrder = order.sort();
  return { order: inOrder, starts: pack(inOrder, sizes, dotsBytes), leafHashes: undefined };
}

/** Fills one block after the other; the first has `taken` bytes in it already. */
function pack(order: Uint32Array, sizes: Uint16Array, taken: number): Uint32Array {
  const starts = [0];
  let used = taken;
  for (const [position, index] of order.entries()) {
    const bytes = itemAt(sizes, index);
    if (used + bytes > directoryRoom) {
      starts.push(position);
      used = 0;
    }
    used += bytes;
  }
  return Uint32Array.from(starts);
}

/** Where a block begins with the hash that the one before ends with, the lowest bit says so (`dx_entry` users in fs/ext4/namei.c). */
function leastHashes(order: Uint32Array, starts: Uint32Array, hashes: Uint32Array): Uint32Array {
  return starts.map((start) => {
    const hash = itemAt(hashes, itemAt(order, start));
    if (start === 0) return hash;
    return hash === itemAt(hashes, itemAt(order, start - 1)) ? hash | 1 : hash;
  });
}
