import { blockMap } from "./block-map.ts";
import { corrupt, unsupported } from "./corrupt.ts";
import { extentTree } from "./extent-tree.ts";
import type { BlockSource, Extent } from "./extent.ts";
import { inodeFlags, type Ext4Inode } from "./inode.ts";

/** Links shorter than `i_block` live in it; with the NUL that e2fsprogs counts, 59 bytes at most. */
export const fastLinkBytes = 59;

/**
 * The blocks of a file, directory or long link, ascending; nothing for other inodes. Bounded: no inode maps more
 * blocks than the file system has.
 */
export function* fileMap(inode: Ext4Inode, source: BlockSource): Generator<Extent, void, undefined> {
  if (!hasBlocks(inode)) return;
  const place = { inode: inode.number };
  if ((inode.flags & inodeFlags.inlineData) !== 0) throw unsupported(place, "inline_data");
  if ((inode.flags & inodeFlags.encrypted) !== 0) throw unsupported(place, "encryption");
  const map = (inode.flags & inodeFlags.extents) !== 0 ? extentTree(inode, source) : blockMap(inode, source);
  let total = 0;
  for (const extent of map) {
    total += extent.length;
    if (total > source.superblock.blockCount) {
      throw corrupt(place, "it has more blocks than the file system");
    }
    yield extent;
  }
}

function hasBlocks(inode: Ext4Inode): boolean {
  if (inode.kind === "symlink") return inode.size > fastLinkBytes;
  return inode.kind === "file" || inode.kind === "directory";
}
