import { byteString, type ByteString } from "../../base/bytes.ts";
import { crc32c } from "../crc32c.ts";
import { corrupt, type Place } from "./corrupt.ts";
import { inodeFlags, type Ext4Inode } from "./inode.ts";
import { incompat, type Superblock } from "./superblock.ts";

/** `struct ext4_dir_entry_2`: Documentation/filesystems/ext4/directory.rst, "Linear (Classic) Directories". */
const entry = { inode: 0x0, recordLength: 0x4, nameLength: 0x6, fileType: 0x7, name: 0x8 } as const;
/** `struct ext4_dir_entry_tail`: looks like an unused entry of no name. */
const tail = {
  bytes: 12,
  recordLength: 0x4,
  nameLength: 0x6,
  fileType: 0x7,
  checksum: 0x8,
  type: 0xde,
} as const;
/** `struct dx_root` and `dx_node`, "Hash Tree Directories": both hide behind entries that a linear reader skips. */
const hashed = {
  rootInfo: 24,
  rootCounts: 32,
  nodeCounts: 8,
  infoLength: 8,
  entryBytes: 8,
  tailBytes: 8,
} as const;

export interface DirectoryEntry {
  readonly name: ByteString;
  readonly inode: number;
  /** `EXT4_FT_*`: 1 file, 2 directory, 3 character, 4 block, 5 fifo, 6 socket, 7 link; 0 where it isn't recorded. */
  readonly fileType: number;
}

/** Which block of which directory is parsed. */
export interface DirectoryBlockContext {
  readonly directory: Ext4Inode;
  readonly superblock: Superblock;
  /** From 0. */
  readonly index: number;
}

/** The entries of one block, "." and ".." left out. Names are 1 to 255 bytes, without slash and NUL. */
export function parseDirectoryBlock(
  block: Buffer,
  context: DirectoryBlockContext,
): readonly DirectoryEntry[] {
  const { directory, superblock, index } = context;
  const place = { directory: directory.number, "file block": index };
  if (directory.checksumSeed !== undefined) checkChecksum(block, directory.checksumSeed, context, place);
  const typed = (superblock.incompat & incompat.fileType) !== 0;
  const out: DirectoryEntry[] = [];
  let records = 0;
  for (let at = 0; at < block.length; records++) {
    const length = recordLength(block, at);
    const nameLength = block.readUInt8(at + entry.nameLength);
    checkRecord(block, at, length, nameLength, place);
    const inode = block.readUInt32LE(at + entry.inode);
    const name = byteString(block, at + entry.name, at + entry.name + nameLength);
    if (index === 0 && records < 2) checkDots(name, inode, records, directory, place);
    else if (inode !== 0) {
      checkName(name, inode, superblock, place);
      out.push({ name, inode, fileType: typed ? block.readUInt8(at + entry.fileType) : 0 });
    }
    at += length;
  }
  if (index === 0 && records < 2) throw corrupt(place, "it does not begin with . and ..");
  return out;
}

/** `ext4_rec_len_from_disk`: 64 KiB does not fit into 16 bits. */
function recordLength(block: Buffer, at: number): number {
  if (at + entry.name > block.length) return 0;
  const raw = block.readUInt16LE(at + entry.recordLength);
  if (block.length < 65536) return raw;
  return raw === 0 || raw === 65535 ? block.length : (raw & 65532) | ((raw & 3) << 16);
}

/** `__ext4_check_dir_entry` (fs/ext4/dir.c). */
function checkRecord(block: Buffer, at: number, length: number, nameLength: number, place: Place): void {
  if (length < entry.name + 4 || length % 4 !== 0) {
    throw corrupt(place, `the entry at byte ${at} has an impossible length, ${length}`);
  }
  if (at + length > block.length) throw corrupt(place, `the entry at byte ${at} reaches out of its block`);
  if (entry.name + nameLength > length)
    throw corrupt(place, `the name at byte ${at} is longer than its entry`);
}

/** directory.rst: "." and ".." come first, so that a hash tree's root has its place after them. */
function checkDots(
  name: ByteString,
  inode: number,
  record: number,
  directory: Ext4Inode,
  place: Place,
): void {
  if (record === 0 ? name === "." && inode === directory.number : name === ".." && inode !== 0) return;
  throw corrupt(place, `its ${record === 0 ? "first" : "second"} entry is not ${record === 0 ? "." : ".."}`);
}

function checkName(name: ByteString, inode: number, sb: Superblock, place: Place): void {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw corrupt(place, `inode ${inode} has a name that no file may have`);
  }
  if (inode > sb.inodeCount) throw corrupt(place, `a name leads to inode ${inode} of ${sb.inodeCount}`);
}

function checkChecksum(block: Buffer, seed: number, context: DirectoryBlockContext, place: Place): void {
  const counts = countsOffset(block, context);
  const same = counts === undefined ? leafChecksumHolds(block, seed) : nodeChecksumHolds(block, seed, counts);
  if (!same) throw corrupt(place, "the checksum of the directory block differs");
}

/** `get_dx_countlimit` (fs/ext4/namei.c): where a hash tree's node has its entries; undefined for a leaf. */
function countsOffset(block: Buffer, { directory, index }: DirectoryBlockContext): number | undefined {
  if ((directory.flags & inodeFlags.hashedDirectory) === 0) return undefined;
  if (index === 0) return hashed.rootCounts;
  const isNode = block.readUInt32LE(entry.inode) === 0 && recordLength(block, 0) === block.length;
  return isNode ? hashed.nodeCounts : undefined;
}

/** `ext4_dirblock_csum`: over all but the tail. */
function leafChecksumHolds(block: Buffer, seed: number): boolean {
  const at = block.length - tail.bytes;
  return (
    block.readUInt32LE(at) === 0 &&
    block.readUInt16LE(at + tail.recordLength) === tail.bytes &&
    block.readUInt8(at + tail.nameLength) === 0 &&
    block.readUInt8(at + tail.fileType) === tail.type &&
    crc32c(seed, block, 0, at) === block.readUInt32LE(at + tail.checksum)
  );
}

const zeroWord = Buffer.alloc(4);

/** `ext4_dx_csum`: over the entries in use and the tail, whose checksum counts as zero. */
function nodeChecksumHolds(block: Buffer, seed: number, counts: number): boolean {
  const limit = block.readUInt16LE(counts);
  const count = block.readUInt16LE(counts + 2);
  const at = counts + limit * hashed.entryBytes;
  if (count > limit || at + hashed.tailBytes > block.length) return false;
  let crc = crc32c(seed, block, 0, counts + count * hashed.entryBytes);
  crc = crc32c(crc, block, at, at + 4);
  return crc32c(crc, zeroWord) === block.readUInt32LE(at + 4);
}
