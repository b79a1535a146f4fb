import { crc32c } from "../crc32c.ts";
import { blockBytes } from "../geometry.ts";

/**
 * `struct dx_root`, `dx_node`, `dx_entry` and `dx_tail`: kernel Documentation/filesystems/ext4/directory.rst, "Hash
 * Tree Directories". Offsets in bytes, little-endian. Both nodes pass for directory blocks without names.
 */
const root = {
  dotInode: 0x0, // u32
  dotRecordLength: 0x4, // u16: 12
  dotNameLength: 0x6, // u8: 1
  dotFileType: 0x7, // u8: a directory
  dotName: 0x8, // 4 bytes
  dotdotInode: 0xc, // u32
  dotdotRecordLength: 0x10, // u16: the rest of the block
  dotdotNameLength: 0x12, // u8: 2
  dotdotFileType: 0x13, // u8
  dotdotName: 0x14, // 4 bytes
  hashVersion: 0x1c, // u8: 1 for half MD4
  infoLength: 0x1d, // u8: 8
  indirectLevels: 0x1e, // u8: levels of nodes between the root and the leaves
  entries: 0x20,
} as const;
const node = {
  fakeRecordLength: 0x4, // u16: the whole block
  entries: 0x8,
} as const;
const entry = {
  hash: 0x0, // u32: the smallest hash of the child; in the first entry limit and count
  limit: 0x0, // u16: entries that there is room for, this one included
  count: 0x2, // u16: entries in use
  block: 0x4, // u32: block of the directory
  bytes: 8,
} as const;
/** `dt_reserved`, then the checksum, after the room for entries. */
const tail = { bytes: 8, checksum: 0x4 } as const;

const rootLimit = (blockBytes - root.entries - tail.bytes) / entry.bytes;
const nodeLimit = (blockBytes - node.entries - tail.bytes) / entry.bytes;
const directoryType = 2;

/** Leaves that a tree of two levels reaches; a deeper one needs the feature large_dir. */
export const maxLeaves = rootLimit * nodeLimit;

/** Blocks that a tree needs besides its root and its leaves. */
export function hashTreeNodes(leaves: number): number {
  return leaves <= rootLimit ? 0 : Math.ceil(leaves / nodeLimit);
}

export interface HashTree {
  /** Numbers of the directory and of the one that it is in. */
  readonly directory: number;
  readonly parent: number;
  /** The least hash of each leaf, ascending; odd where the leaf before ends with the same. The leaves are blocks 1 to n. */
  readonly leafHashes: Uint32Array;
}

/** Writes the tree but for its leaves: its root to file block 0, its nodes after the leaves. */
export function encodeHashTree(tree: HashTree, block: (logical: number) => Buffer, seed: number): void {
  const leaves = tree.leafHashes.length;
  const nodes = hashTreeNodes(leaves);
  const top = block(0);
  writeRootHead(top, tree, nodes === 0 ? 0 : 1);
  if (nodes === 0) {
    writeEntries(top, root.entries, rootLimit, leaves, (i) => [tree.leafHashes[i] ?? 0, 1 + i], seed);
    return;
  }
  const childOf = (i: number): readonly [number, number] => [
    tree.leafHashes[i * nodeLimit] ?? 0,
    1 + leaves + i,
  ];
  writeEntries(top, root.entries, rootLimit, nodes, childOf, seed);
  for (let i = 0; i < nodes; i++) {
    const out = block(1 + leaves + i);
    out.writeUInt16LE(blockBytes, node.fakeRecordLength);
    const first = i * nodeLimit;
    const count = Math.min(nodeLimit, leaves - first);
    writeEntries(
      out,
      node.entries,
      nodeLimit,
      count,
      (j) => [tree.leafHashes[first + j] ?? 0, 1 + first + j],
      seed,
    );
  }
}

function writeRootHead(out: Buffer, tree: HashTree, levels: number): void {
  out.writeUInt32LE(tree.directory, root.dotInode);
  out.writeUInt16LE(root.dotdotInode, root.dotRecordLength);
  out.writeUInt8(1, root.dotNameLength);
  out.writeUInt8(directoryType, root.dotFileType);
  out.write(".", root.dotName, "latin1");
  out.writeUInt32LE(tree.parent, root.dotdotInode);
  out.writeUInt16LE(blockBytes - root.dotdotInode, root.dotdotRecordLength);
  out.writeUInt8(2, root.dotdotNameLength);
  out.writeUInt8(directoryType, root.dotdotFileType);
  out.write("..", root.dotdotName, "latin1");
  out.writeUInt8(1, root.hashVersion);
  out.writeUInt8(8, root.infoLength);
  out.writeUInt8(levels, root.indirectLevels);
}

const zeroWord = Buffer.alloc(4);

function writeEntries(
  out: Buffer,
  at: number,
  limit: number,
  count: number,
  entryOf: (i: number) => readonly [hash: number, block: number],
  seed: number,
): void {
  for (let i = 0; i < count; i++) {
    const [hash, block] = entryOf(i);
    if (i > 0) out.writeUInt32LE(hash, at + i * entry.bytes + entry.hash);
    out.writeUInt32LE(block, at + i * entry.bytes + entry.block);
  }
  out.writeUInt16LE(limit, at + entry.limit);
  out.writeUInt16LE(count, at + entry.count);
  // `ext4_dx_csum` (fs/ext4/namei.c): over the entries in use and the tail, whose checksum counts as zero.
  const end = at + limit * entry.bytes;
  const entries = crc32c(seed, out, 0, at + count * entry.bytes);
  const checksum = crc32c(crc32c(entries, out, end, end + tail.checksum), zeroWord);
  out.writeUInt32LE(checksum, end + tail.checksum);
}
