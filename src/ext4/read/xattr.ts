import { byteString, joinBytes, utf8Bytes, type ByteString } from "../../base/bytes.ts";
import type { Xattr } from "../../layers/layer-index.ts";
import { crc32c } from "../crc32c.ts";
import { corrupt, unsupported, type Place } from "./corrupt.ts";
import { decodeAcl } from "./posix-acl.ts";
import type { Superblock } from "./superblock.ts";

/** `struct ext4_xattr_header`, `_ibody_header` and `_entry`: Documentation/filesystems/ext4/attributes.rst. */
const header = { magic: 0x0, blocks: 0x8, checksum: 0x10, bytes: 32 } as const;
const bodyHeaderBytes = 4;
const entry = {
  nameLength: 0x0,
  nameIndex: 0x1,
  valueOffset: 0x2,
  valueInode: 0x4,
  valueSize: 0x8,
  name: 0x10,
} as const;

const magic = 0xea020000;

/** `e_name_index`: what the name on disk leaves out. Those of an ACL are the whole name. */
const prefixes: ReadonlyMap<number, ByteString> = new Map([
  [1, utf8Bytes("user.")],
  [2, utf8Bytes("system.posix_acl_access")],
  [3, utf8Bytes("system.posix_acl_default")],
  [4, utf8Bytes("trusted.")],
  [6, utf8Bytes("security.")],
  [7, utf8Bytes("system.")],
]);
const aclIndices: ReadonlySet<number> = new Set([2, 3]);

/** The xattrs that follow an inode's fields, in no particular order. Their values are copies. */
export function parseBodyXattrs(area: Buffer, place: Place): readonly Xattr[] {
  // Without the magic number, the rest of the inode is unused: attributes.rst.
  if (area.length < bodyHeaderBytes || area.readUInt32LE(0) !== magic) return [];
  // Values are counted from the first entry here, and from the block's start in a block.
  return parseEntries(area.subarray(bodyHeaderBytes), 0, place);
}

/** The xattrs of a block, which several inodes may share. `number` is the block's own, for its checksum. */
export function parseXattrBlock(
  block: Buffer,
  number: number,
  sb: Superblock,
  place: Place,
): readonly Xattr[] {
  if (block.readUInt32LE(header.magic) !== magic || block.readUInt32LE(header.blocks) !== 1) {
    throw corrupt(place, "the xattr block has no valid header");
  }
  if (
    sb.checksumSeed !== undefined &&
    checksumOf(block, number, sb.checksumSeed) !== block.readUInt32LE(header.checksum)
  ) {
    throw corrupt(place, "the checksum of the xattr block differs");
  }
  return parseEntries(block, header.bytes, place);
}

/** `ext4_xattr_block_csum`: over the block's number, 64 bits wide, and the block with the checksum as zero. */
function checksumOf(block: Buffer, number: number, seed: number): number {
  const copy = Buffer.from(block);
  copy.writeUInt32LE(0, header.checksum);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(number));
  return crc32c(crc32c(seed, prefix), copy);
}

function parseEntries(area: Buffer, start: number, place: Place): readonly Xattr[] {
  const out: Xattr[] = [];
  const end = endOfEntries(area, start, place);
  for (let at = start; at < end;) {
    const nameLength = area.readUInt8(at + entry.nameLength);
    const index = area.readUInt8(at + entry.nameIndex);
    const value = valueOf(area, at, end, place);
    const prefix = prefixes.get(index);
    if (prefix === undefined) throw corrupt(place, `an xattr has the unknown name index ${index}`);
    const suffix = byteString(area, at + entry.name, at + entry.name + nameLength);
    const isAcl = aclIndices.has(index);
    if (isAcl ? suffix !== "" : suffix === "" || suffix.includes("\0")) {
      throw corrupt(place, `an xattr of name index ${index} has an impossible name`);
    }
    out.push({ name: joinBytes([prefix, suffix]), value: isAcl ? decodeAcl(value, place) : value });
    at += entryLength(nameLength);
  }
  return out;
}

/** Entries are padded to four bytes and end at four zero bytes: `IS_LAST_ENTRY`. */
function endOfEntries(area: Buffer, start: number, place: Place): number {
  let at = start;
  for (;;) {
    if (at + 4 > area.length) throw corrupt(place, "the list of xattrs has no end");
    if (area.readUInt32LE(at) === 0) return at;
    if (at + entry.name > area.length) throw corrupt(place, "the list of xattrs has no end");
    at += entryLength(area.readUInt8(at));
  }
}

function entryLength(nameLength: number): number {
  return (entry.name + nameLength + 3) & ~3;
}

/** `ext4_xattr_check_entries`: values lie after the entries and their end mark. */
function valueOf(area: Buffer, at: number, entriesEnd: number, place: Place): Buffer {
  if (area.readUInt32LE(at + entry.valueInode) !== 0)
    throw unsupported(place, "ea_inode, an xattr in an inode of its own,");
  const size = area.readUInt32LE(at + entry.valueSize);
  const offset = area.readUInt16LE(at + entry.valueOffset);
  if (size === 0) return Buffer.alloc(0);
  if (offset < entriesEnd + 4 || offset + size > area.length) {
    throw corrupt(place, "an xattr's value lies outside of its place");
  }
  return Buffer.from(area.subarray(offset, offset + size));
}
