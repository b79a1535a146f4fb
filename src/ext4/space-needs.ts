import type { Sliced } from "../base/slices.ts";
import type { DirectoryInode, Inode, RootTree } from "../layers/root-tree.ts";
import { blockBytes, extentBlocks, type SpaceNeeds } from "./geometry.ts";

/** Adds up what the tree needs. In any order, so without sorting names. */
export function* spaceNeeds({ root }: RootTree): Sliced<SpaceNeeds> {
  const counter = new SpaceCounter();
  counter.addInode(root);
  let names = 0;
  const linked = new Set<Inode>();
  const todo: DirectoryInode[] = [root];
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    for (const [name, inode] of directory.children) {
      if (++names % 1024 === 0) yield;
      counter.addName(name, inode);
      if (inode.kind === "directory") todo.push(inode);
      else if (inode.linkCount > 1) {
        if (linked.has(inode)) continue;
        linked.add(inode);
      }
      counter.addInode(inode);
    }
    counter.endDirectory();
  }
  return counter.needs();
}

/** Adds up what a tree needs, for those who walk it anyway: every inode once, and the names of one directory after the other. */
export class SpaceCounter {
  #blocks = 0;
  #inodes = 0;
  #names = new NameCounter();

  addInode(inode: Inode): void {
    this.#inodes += 1;
    this.#blocks += inodeBlocks(inode);
  }

  /** Of the directory at hand. */
  addName(name: string, inode: Inode): void {
    this.#names.add(name, inode);
  }

  /** All of its names were added. */
  endDirectory(): void {
    this.#blocks += this.#names.takeBlocks();
  }

  needs(): SpaceNeeds {
    return { blocks: this.#blocks, inodes: this.#inodes };
  }
}

/** Without the names of a directory. */
function inodeBlocks(inode: Inode): number {
  // At most one block holds what does not fit into the inode: the feature `ea_inode` is off.
  const xattrBlocks = inode.xattrs.length === 0 ? 0 : 1;
  switch (inode.kind) {
    case "file":
      return xattrBlocks + fileBlocks(inode.size, inode.content.segments);
    case "symlink":
      // Up to 59 bytes stay in the inode, where the block map would be.
      return xattrBlocks + (inode.target.length < 60 ? 0 : 1);
    case "directory":
    case "character":
    case "block":
    case "fifo":
      return xattrBlocks;
  }
}

type Segments = readonly { readonly offset: number; readonly length: number }[];

function fileBlocks(size: number, segments: Segments | undefined): number {
  const whole = Math.ceil(size / blockBytes);
  if (segments === undefined) return whole + extentBlocks(whole, 1);
  let data = 0;
  let runs = 0;
  let next = 0;
  for (const { offset, length } of segments) {
    if (length === 0) continue;
    const first = Math.floor(offset / blockBytes);
    const end = Math.ceil((offset + length) / blockBytes);
    if (data === 0 || first > next) runs += 1;
    data += Math.max(0, end - Math.max(next, first));
    next = Math.max(next, end);
  }
  return data + extentBlocks(data, runs);
}

/**
 * Blocks of a directory, which grows one at a time and so may lie all over. An entry is 8 bytes and its name, rounded up to 4 (ext4 on-disk layout, "Linear
 * directories"), and never spans two blocks, so each block may end in a gap that the largest entry left. The
 * names that debugfs makes may go into blocks of their own (see `e2fsprogs/late-names.ts`).
 */
class NameCounter {
  #total = dotsBytes;
  #largest = 12;
  #late = 0;

  add(name: string, inode: Inode): void {
    const entry = directoryEntryBytes(name);
    this.#total += entry;
    if (entry > this.#largest) this.#largest = entry;
    const staged = inode.kind === "file" || inode.kind === "directory" || inode.kind === "symlink";
    if (!staged || (inode.kind === "symlink" && inode.linkCount > 1)) this.#late += entry;
  }

  /** Of the directory whose names were added; the next one begins. */
  takeBlocks(): number {
    const packed = Math.ceil(this.#total / (directoryBlockBytes - (this.#largest - 4)));
    const blocks = packed + expansionBlocks(this.#late) + extentBlocks(packed, packed);
    this.#total = dotsBytes;
    this.#largest = 12;
    this.#late = 0;
    return blocks;
  }
}

/** "." and "..", in a directory's first block. */
export const dotsBytes = 24;
/** What a block of a directory has for entries: its checksum takes 12 bytes. */
const directoryBlockBytes = blockBytes - 12;
const largestEntryBytes = 264;

export function directoryEntryBytes(name: string): number {
  return (8 + name.length + 3) & ~3;
}

/** Empty blocks that a directory must be given before entries of so many bytes are sure to find room. */
export function expansionBlocks(entryBytes: number): number {
  return Math.ceil(entryBytes / (directoryBlockBytes - (largestEntryBytes - 4)));
}
