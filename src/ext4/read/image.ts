import { byteString, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { Xattr } from "../../layers/layer-index.ts";
import { corrupt, unsupported, type Place } from "./corrupt.ts";
import { parseDirectoryBlock, type DirectoryEntry } from "./directory-block.ts";
import type { BlockSource, Extent } from "./extent.ts";
import { fastLinkBytes, fileMap } from "./file-map.ts";
import { descriptorPosition, parseGroupDescriptor } from "./group-descriptor.ts";
import { ImageFile } from "./image-file.ts";
import { inodeFlags, parseInode, type Ext4Inode } from "./inode.ts";
import { parseSuperblock, superblockBytes, superblockOffset, type Superblock } from "./superblock.ts";
import { parseBodyXattrs, parseXattrBlock } from "./xattr.ts";

/** The root directory's inode number. */
export const rootInode = 2;

/**
 * Names that looking for names may go through as long as an image is open, which takes a second or two: a look-up is a
 * linear search, and an image's links may ask for thousands of them in its largest folder. That is four times through
 * the largest folder that an image may have.
 */
const mostSearched = 20_000_000;

/** What a look-up counts besides: finding a directory's first block takes as long as some names. */
const lookupNames = 250;

/** Names between two pauses: some tenths of a millisecond. */
const namesPerSlice = 1000;

/** PATH_MAX with its NUL: what a link's target must stay below. */
const maxTargetBytes = 4095;

/**
 * An ext4 file system in a file, read without a mount and without trust: whatever the bytes are, a call answers
 * or throws a BangerError, FILESYSTEM_CORRUPT naming inode or block and the rule that it breaks, NOT_IMPLEMENTED
 * naming the feature. Synchronous, but for look-ups, which may take long; reads no more than it needs. The caller owns it and disposes of it.
 */
export class Ext4Image implements Disposable {
  readonly superblock: Superblock;
  readonly #file: ImageFile;
  readonly #source: BlockSource;
  /** First block of the inode table, by block group. */
  readonly #inodeTables = new Map<number, number>();
  /** Maps of files that were read from, for as long as their inode is held. */
  readonly #maps = new WeakMap<Ext4Inode, readonly Extent[]>();
  #searched = 0;

  private constructor(file: ImageFile) {
    this.#file = file;
    const bytes = file.metadata(superblockOffset, superblockBytes, { superblock: "primary" });
    const superblock = parseSuperblock(bytes, file.size);
    this.superblock = superblock;
    this.#source = { superblock, block: (number, place) => this.#block(number, place) };
  }

  static open(path: string): Ext4Image {
    const file = new ImageFile(path);
    try {
      return new Ext4Image(file);
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  /** An inode that is in use; the root's number is 2. */
  inode(number: number): Ext4Inode {
    const { inodeCount, inodesPerGroup, inodeSize, blockSize } = this.superblock;
    const place = { inode: number };
    if (!Number.isInteger(number) || number < 1 || number > inodeCount) {
      throw corrupt(place, `there are only inodes 1 to ${inodeCount}`);
    }
    const table = this.#inodeTable(Math.floor((number - 1) / inodesPerGroup));
    const position = table * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
    return parseInode(this.#file.metadata(position, inodeSize, place), number, this.superblock);
  }

  /** The entries of a directory in the order of the disk, "." and ".." left out. */
  *entries(directory: Ext4Inode): Generator<DirectoryEntry, void, undefined> {
    const place = { directory: directory.number };
    const { superblock } = this;
    if (directory.kind !== "directory") throw corrupt(place, `it is a ${directory.kind}`);
    const blocks = directory.size / superblock.blockSize;
    if (!Number.isInteger(blocks) || blocks === 0)
      throw corrupt(place, `its size, ${directory.size}, is not in blocks`);
    let index = 0;
    for (const extent of fileMap(directory, this.#source)) {
      // Blocks past the size belong to nothing; a directory has no holes before it.
      if (index >= blocks) break;
      if (extent.logical !== index || extent.unwritten) break;
      const end = Math.min(extent.length, blocks - index);
      for (let i = 0; i < end; i++, index++) {
        yield* parseDirectoryBlock(this.#block(extent.physical + i, place), { directory, superblock, index });
      }
    }
    if (index < blocks) throw corrupt(place, `its block ${index} of ${blocks} is missing`);
  }

  /** The inode number of a name, or undefined; a linear search. @throws BangerError LIMIT_PATH past `mostSearched`. */
  *lookup(directory: Ext4Inode, name: ByteString): Sliced<number | undefined> {
    this.#searched += lookupNames;
    for (const entry of this.entries(directory)) {
      if (entry.name === name) return entry.inode;
      if (++this.#searched % namesPerSlice === 0) yield;
      if (this.#searched > mostSearched) throw searchedTooMuch(directory);
    }
    return undefined;
  }

  /** The target of a symbolic link, 1 to 4,095 bytes without NUL. */
  linkTarget(link: Ext4Inode): ByteString {
    const place = { inode: link.number };
    const { size } = link;
    if (link.kind !== "symlink") throw corrupt(place, `it is a ${link.kind}, not a link`);
    if (size < 1 || size > maxTargetBytes) throw corrupt(place, `its target has ${size} bytes`);
    // The kernel goes by the blocks and e2fsprogs by the size (`ext4_inode_is_fast_symlink`): they must agree.
    if (size <= fastLinkBytes && link.xattrBlock === 0 && link.blocks !== 0) {
      throw corrupt(place, `its target has ${size} bytes, and blocks besides`);
    }
    const target = byteString(
      size <= fastLinkBytes ? link.blockArea.subarray(0, size) : this.read(link, 0, size),
    );
    if (target.includes("\0")) throw corrupt(place, "its target has a NUL");
    return target;
  }

  /** All xattrs, sorted by name, as getxattr(2) would return them to the root user. */
  xattrs(inode: Ext4Inode): readonly Xattr[] {
    const place = { inode: inode.number };
    if ((inode.flags & inodeFlags.inlineData) !== 0) throw unsupported(place, "inline_data");
    const inBody = parseBodyXattrs(inode.xattrArea, place);
    const number = inode.xattrBlock;
    if (number === 0) return sortedXattrs(inBody, place);
    const at = { ...place, block: number };
    return sortedXattrs(
      [...inBody, ...parseXattrBlock(this.#block(number, at), number, this.superblock, at)],
      place,
    );
  }

  /** The blocks of a file, directory or long link, ascending; what lies between is a hole. */
  extents(inode: Ext4Inode): Generator<Extent, void, undefined> {
    return fileMap(inode, this.#source);
  }

  /** A copy of the contents from `offset` on, `length` bytes or what there is until the end; holes are zeros. */
  read(inode: Ext4Inode, offset: number, length: number): Buffer {
    const out = Buffer.allocUnsafe(Math.max(0, Math.min(length, inode.size - offset)));
    this.readInto(inode, offset, out);
    return out;
  }

  /** Fills `target` with the contents from `offset` on; returns how many bytes there were. */
  readInto(inode: Ext4Inode, offset: number, target: Buffer): number {
    const place = { inode: inode.number };
    const length = Math.max(0, Math.min(target.length, inode.size - offset));
    const end = offset + length;
    const { blockSize } = this.superblock;
    const extents = this.#map(inode);
    let at = offset;
    for (let i = firstEndingAfter(extents, Math.floor(offset / blockSize)); at < end; i++) {
      const extent = extents[i];
      const start = extent === undefined ? end : Math.min(end, Math.max(at, extent.logical * blockSize));
      target.fill(0, at - offset, start - offset);
      if (extent === undefined) break;
      const stop = Math.min(end, (extent.logical + extent.length) * blockSize);
      const piece = target.subarray(start - offset, stop - offset);
      if (extent.unwritten) piece.fill(0);
      else
        this.#file.readInto(extent.physical * blockSize + start - extent.logical * blockSize, piece, place);
      at = stop;
    }
    return length;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #map(inode: Ext4Inode): readonly Extent[] {
    const known = this.#maps.get(inode);
    if (known !== undefined) return known;
    const map = [...fileMap(inode, this.#source)];
    this.#maps.set(inode, map);
    return map;
  }

  #block(number: number, place: Place): Buffer {
    const { blockSize, blockCount, firstDataBlock } = this.superblock;
    if (number <= firstDataBlock || number >= blockCount)
      throw corrupt(place, "the block lies outside of the file system");
    return this.#file.metadata(number * blockSize, blockSize, place);
  }

  #inodeTable(group: number): number {
    const known = this.#inodeTables.get(group);
    if (known !== undefined) return known;
    const position = descriptorPosition(this.superblock, group);
    const bytes = this.#file.metadata(position, this.superblock.descriptorSize, { "block group": group });
    const { inodeTable } = parseGroupDescriptor(bytes, group, this.superblock);
    this.#inodeTables.set(group, inodeTable);
    return inodeTable;
  }
}

function searchedTooMuch({ number }: Ext4Inode): BangerError {
  const message = `looking for names in the image, last in inode ${number}, went through more than ${mostSearched}`;
  return new BangerError("LIMIT_PATH", message, { op: "find file" });
}

/** Index of the first extent that reaches past file block `block`. */
function firstEndingAfter(extents: readonly Extent[], block: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle];
    if (extent !== undefined && extent.logical + extent.length <= block) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sortedXattrs(xattrs: readonly Xattr[], place: Place): readonly Xattr[] {
  if (xattrs.length < 2) return xattrs;
  const sorted = [...xattrs].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const [i, { name }] of sorted.entries()) {
    if (i > 0 && sorted[i - 1]?.name === name)
      throw corrupt(place, `the xattr ${JSON.stringify(name)} is there twice`);
  }
  return sorted;
}
