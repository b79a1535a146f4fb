import type { ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import type { Xattr } from "../../layers/layer-index.ts";
import { crc32c } from "../crc32c.ts";
import { blockBytes, inodeBytes } from "../geometry.ts";
import { xattrAreaOffset } from "./inode.ts";
import { encodeAcl } from "./posix-acl.ts";

/**
 * `struct ext4_xattr_header`, `ext4_xattr_ibody_header` and `ext4_xattr_entry`: kernel
 * Documentation/filesystems/ext4/attributes.rst. Offsets in bytes, little-endian.
 */
const header = {
  magic: 0x0, // u32
  referenceCount: 0x4, // u32, inodes that use the block
  blocks: 0x8, // u32: 1
  hash: 0xc, // u32, of all entries' hashes
  checksum: 0x10, // u32, CRC-32C of block number and block
  bytes: 32,
} as const;
const bodyHeaderBytes = 4;
const entry = {
  nameLength: 0x0, // u8, bytes of the name on disk
  nameIndex: 0x1, // u8, what the name on disk leaves out
  valueOffset: 0x2, // u16, bytes from the block's start; in an inode from the first entry
  valueSize: 0x8, // u32, bytes
  hash: 0xc, // u32, of name and value; 0 in an inode
  name: 0x10,
} as const;
const magic = 0xea020000;
/** Four zero bytes end a list of entries. */
const endMarkBytes = 4;

/** `EXT4_XATTR_REFCOUNT_MAX` (fs/ext4/xattr.h): inodes that may share a block. */
export const maxSharers = 1024;

/** `e_name_index`; those of an ACL are the whole name. */
const prefixes = [
  { prefix: "system.posix_acl_access", index: 2 },
  { prefix: "system.posix_acl_default", index: 3 },
  { prefix: "user.", index: 1 },
  { prefix: "trusted.", index: 4 },
  { prefix: "security.", index: 6 },
] as const;

/** An xattr as the disk has it. */
interface DiskXattr {
  readonly index: number;
  /** Without its prefix. */
  readonly name: string;
  readonly value: Buffer;
}

/** Where the xattrs of an inode go. */
export interface PlacedXattrs {
  /** What follows the inode's fields; undefined where nothing is there. */
  readonly inInode: Buffer | undefined;
  /** A block without reference count and checksum, which depend on its users and its place. */
  readonly block: Buffer | undefined;
}

const roomInInode = inodeBytes - xattrAreaOffset;

/**
 * Lays out the xattrs of one inode by the rule of `storeXattrs` (layers/xattr-room.ts): each goes into the inode if it
 * still fits there, else into the block.
 */
export function placeXattrs(xattrs: readonly Xattr[]): PlacedXattrs {
  const inInode: DiskXattr[] = [];
  const inBlock: DiskXattr[] = [];
  let room = roomInInode - bodyHeaderBytes - endMarkBytes;
  for (const xattr of xattrs) {
    const stored = diskXattr(xattr);
    const bytes = entryBytes(stored.name.length) + padded(stored.value.length);
    if (bytes <= room) {
      room -= bytes;
      inInode.push(stored);
    } else inBlock.push(stored);
  }
  return {
    inInode: inInode.length === 0 ? undefined : encodeBody(inInode),
    block: inBlock.length === 0 ? undefined : encodeBlock(inBlock),
  };
}

function diskXattr({ name, value }: Xattr): DiskXattr {
  const known = prefixes.find(({ prefix }) => name.startsWith(prefix));
  if (known === undefined) throw unstorable(name);
  const isAcl = known.index === 2 || known.index === 3;
  if (isAcl && name.length !== known.prefix.length) throw unstorable(name);
  return {
    index: known.index,
    name: name.slice(known.prefix.length),
    value: isAcl ? encodeAcl(value) : value,
  };
}

function unstorable(name: ByteString): BangerError {
  return new BangerError("INTERNAL", `${JSON.stringify(name)} is no xattr that ext4 has room for`, {
    op: "plan ext4",
  });
}

/** EXT4_XATTR_PAD: names and values begin at multiples of four. */
function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function entryBytes(nameBytes: number): number {
  return padded(entry.name + nameBytes);
}

function encodeBody(xattrs: readonly DiskXattr[]): Buffer {
  const out = Buffer.alloc(roomInInode);
  out.writeUInt32LE(magic, 0);
  writeEntries(out, bodyHeaderBytes, bodyHeaderBytes, xattrs, () => 0);
  return out;
}

function encodeBlock(xattrs: readonly DiskXattr[]): Buffer {
  const out = Buffer.alloc(blockBytes);
  const sorted = [...xattrs].sort(byDiskOrder);
  let blockHash = 0;
  writeEntries(out, header.bytes, 0, sorted, (xattr) => {
    const hash = entryHash(xattr);
    // `ext4_xattr_rehash`: rotated by 16 bits an entry.
    blockHash = (((blockHash << 16) | (blockHash >>> 16)) ^ hash) >>> 0;
    return hash;
  });
  out.writeUInt32LE(magic, header.magic);
  out.writeUInt32LE(1, header.blocks);
  out.writeUInt32LE(blockHash, header.hash);
  return out;
}

/** `ext4_xattr_find_entry`: by index, length of the name, bytes of the name. */
function byDiskOrder(a: DiskXattr, b: DiskXattr): number {
  return a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : 1);
}

/** Entries from `start` on, values from the end backwards; offsets count from `origin`. */
function writeEntries(
  out: Buffer,
  start: number,
  origin: number,
  xattrs: readonly DiskXattr[],
  hashOf: (xattr: DiskXattr) => number,
): void {
  let at = start;
  let end = out.length;
  for (const xattr of xattrs) {
    const { index, name, value } = xattr;
    const next = at + entryBytes(name.length);
    end -= padded(value.length);
    if (next + endMarkBytes > end) {
      throw new BangerError("INTERNAL", "an inode has more xattrs than ext4 has room for", {
        op: "plan ext4",
      });
    }
    out.writeUInt8(name.length, at + entry.nameLength);
    out.writeUInt8(index, at + entry.nameIndex);
    out.writeUInt16LE(value.length === 0 ? 0 : end - origin, at + entry.valueOffset);
    out.writeUInt32LE(value.length, at + entry.valueSize);
    out.writeUInt32LE(hashOf(xattr), at + entry.hash);
    out.write(name, at + entry.name, "latin1");
    value.copy(out, end);
    at = next;
  }
}

/** `ext4_xattr_hash_entry` (fs/ext4/xattr.c): name bytes rotated in by 5 bits, words of the padded value by 16. */
function entryHash({ name, value }: DiskXattr): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = ((hash << 5) | (hash >>> 27)) ^ name.charCodeAt(i);
  const words = Buffer.alloc(padded(value.length));
  value.copy(words);
  for (let at = 0; at < words.length; at += 4) {
    hash = ((hash << 16) | (hash >>> 16)) ^ words.readUInt32LE(at);
  }
  return hash >>> 0;
}

/** Completes a block of xattrs for its place and its users. Changes `block`. */
export function sealXattrBlock(block: Buffer, number: number, sharers: number, seed: number): void {
  block.writeUInt32LE(sharers, header.referenceCount);
  block.writeUInt32LE(0, header.checksum);
  // `ext4_xattr_block_csum`: the block's number first, 64 bits wide.
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(number, 0);
  block.writeUInt32LE(crc32c(crc32c(seed, prefix), block, 0, blockBytes), header.checksum);
}
