import type { Sliced } from "../../base/slices.ts";
import type { InodeList } from "./inode-list.ts";
import { maxSharers, placeXattrs } from "./xattr.ts";

/** A block of xattrs, and how many inodes use it. */
export interface XattrBlock {
  readonly bytes: Buffer;
  sharers: number;
}

export interface XattrPlan {
  readonly blocks: readonly XattrBlock[];
  /** By ordinal: the position in `blocks` of the block it uses. */
  readonly blockOf: ReadonlyMap<number, number>;
  /** By ordinal: what follows its inode's fields. */
  readonly inInode: ReadonlyMap<number, Buffer>;
  readonly count: number;
}

/** Inodes between two pauses. */
const slice = 2048;

/** Lays out all xattrs. Inodes whose blocks would be equal share one, as the kernel and mke2fs have it. */
export function* planXattrs({ inodes, withXattrs }: InodeList): Sliced<XattrPlan> {
  const blocks: XattrBlock[] = [];
  const blockOf = new Map<number, number>();
  const inInode = new Map<number, Buffer>();
  const open = new Map<string, number>();
  const bodies = new Map<string, Buffer>();
  let count = 0;
  for (let i = 0; i < withXattrs.length; i++) {
    if (i % slice === slice - 1) yield;
    const ordinal = withXattrs.at(i);
    const xattrs = inodes[ordinal]?.xattrs ?? [];
    count += xattrs.length;
    const placed = placeXattrs(xattrs);
    if (placed.inInode !== undefined) inInode.set(ordinal, shared(placed.inInode, bodies));
    if (placed.block !== undefined) blockOf.set(ordinal, sharedBlock(placed.block, blocks, open));
  }
  return { blocks, blockOf, inInode, count };
}

/** The position of a block with those bytes that has room for one inode more. */
function sharedBlock(bytes: Buffer, blocks: XattrBlock[], open: Map<string, number>): number {
  const key = bytes.toString("latin1");
  const known = open.get(key);
  const block = known === undefined ? undefined : blocks[known];
  if (known !== undefined && block !== undefined && block.sharers < maxSharers) {
    block.sharers++;
    return known;
  }
  const position = blocks.push({ bytes, sharers: 1 }) - 1;
  open.set(key, position);
  return position;
}

/** One buffer for equal bytes: a million files may have the same label. */
function shared(bytes: Buffer, known: Map<string, Buffer>): Buffer {
  const key = bytes.toString("latin1");
  const same = known.get(key);
  if (same !== undefined) return same;
  known.set(key, bytes);
  return bytes;
}
