import { bytesToBuffer, utf8Bytes, type ByteString } from "../../base/bytes.ts";
import { crc32c } from "../crc32c.ts";
import { blockBytes } from "../geometry.ts";
import { directoryEntryBytes } from "../space-needs.ts";

/** A name as a directory has it; `fileType` is an `EXT4_FT_*`. */
export interface DirectoryName {
  readonly name: ByteString;
  readonly inode: number;
  readonly fileType: number;
}

/** `struct ext4_dir_entry_tail`: 12 bytes at the block's end that look like an unused entry. */
const tailBytes = 12;
const usableBytes = blockBytes - tailBytes;
/** "." and "..", 12 bytes each. */
const dotsBytes = 24;
const directoryType = 2;
const dot = utf8Bytes(".");
const dotDot = utf8Bytes("..");

/** Splits names into those of each block, in order: an entry never spans two. The first block has "." and ".." too. */
export function packNames(names: readonly DirectoryName[]): readonly (readonly DirectoryName[])[] {
  let room = usableBytes - dotsBytes;
  let block: DirectoryName[] = [];
  const blocks = [block];
  for (const entry of names) {
    const bytes = directoryEntryBytes(entry.name);
    if (bytes > room) {
      block = [];
      blocks.push(block);
      room = usableBytes;
    }
    block.push(entry);
    room -= bytes;
  }
  return blocks;
}

export interface Dots {
  readonly self: number;
  readonly parent: number;
}

/**
 * One block of a linear directory with its checksum (Documentation/filesystems/ext4/directory.rst). The last entry
 * reaches to the tail; a block of no names is one entry that is not in use.
 *
 * @param dots for the first block of a directory
 * @param seed the directory's checksum seed
 */
export function directoryBlock(
  names: readonly DirectoryName[],
  dots: Dots | undefined,
  seed: number,
): Buffer {
  const block = Buffer.alloc(blockBytes);
  const all = dots === undefined ? names : [...dotEntries(dots), ...names];
  let at = 0;
  for (const [i, { name, inode, fileType }] of all.entries()) {
    const bytes = i === all.length - 1 ? usableBytes - at : directoryEntryBytes(name);
    block.writeUInt32LE(inode, at);
    block.writeUInt16LE(bytes, at + 4);
    block.writeUInt8(name.length, at + 6);
    block.writeUInt8(fileType, at + 7);
    bytesToBuffer(name).copy(block, at + 8);
    at += bytes;
  }
  if (all.length === 0) block.writeUInt16LE(usableBytes, 4);
  seal(block, seed);
  return block;
}

/** The block again, with another parent in its second entry. */
export function withParent(block: Buffer, parent: number, seed: number): Buffer {
  const changed = Buffer.from(block);
  changed.writeUInt32LE(parent, 12);
  seal(changed, seed);
  return changed;
}

function dotEntries({ self, parent }: Dots): readonly DirectoryName[] {
  return [
    { name: dot, inode: self, fileType: directoryType },
    { name: dotDot, inode: parent, fileType: directoryType },
  ];
}

function seal(block: Buffer, seed: number): void {
  block.writeUInt16LE(tailBytes, usableBytes + 4);
  block.writeUInt8(0xde, usableBytes + 7);
  block.writeUInt32LE(crc32c(seed, block, 0, usableBytes), usableBytes + 8);
}
