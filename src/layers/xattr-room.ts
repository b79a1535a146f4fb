import type { ByteString } from "../base/bytes.ts";
import type { Xattr } from "./layer-index.ts";
import { isAclName, readAcl } from "./posix-acl.ts";

/**
 * Room for xattrs on an ext4 with inodes of 256 bytes, blocks of 4 KiB and no `ea_inode`. In the inode: what its 128
 * old and 32 extra bytes of fields leave, less the area's magic number. In the one block: all but its header. Each
 * list of entries ends with four zero bytes (kernel Documentation/filesystems/ext4/attributes.rst).
 */
const endMarkBytes = 4;
const roomInInode = 256 - 128 - 32 - 4 - endMarkBytes;
const roomInBlock = 4096 - 32 - endMarkBytes;

/** `struct ext4_xattr_entry` without the name that follows it. */
const entryBytes = 16;

/** What the disk has as a number before the name (kernel fs/ext4/xattr.h, EXT4_XATTR_INDEX_*). */
const namespaces = ["user.", "trusted.", "security."];

export interface StoredXattrs {
  /** In the order given: those that a builder can store, one after the other. */
  readonly kept: readonly Xattr[];
  /** Those for which no room was left. */
  readonly dropped: readonly Xattr[];
  /** The ACL that is none, where there is one. */
  readonly malformed: ByteString | undefined;
}

/**
 * Which xattrs an inode can have: each goes into the inode if it still fits there, else into the block, as the kernel
 * and libext2fs place them when they are set one by one. Sorted by name, `security.` comes before all others, so that
 * a capability never gives way to a `user.` attribute.
 */
export function storeXattrs(xattrs: readonly Xattr[]): StoredXattrs {
  const kept: Xattr[] = [];
  const dropped: Xattr[] = [];
  let inInode = roomInInode;
  let inBlock = roomInBlock;
  for (const xattr of xattrs) {
    const acl = isAclName(xattr.name) ? readAcl(xattr.value) : undefined;
    if (isAclName(xattr.name) && acl === undefined) return { kept, dropped, malformed: xattr.name };
    const bytes =
      entryBytes + padded(diskNameBytes(xattr.name)) + padded(acl?.diskBytes ?? xattr.value.length);
    if (bytes <= inInode) inInode -= bytes;
    else if (bytes <= inBlock) inBlock -= bytes;
    else {
      dropped.push(xattr);
      continue;
    }
    kept.push(acl === undefined ? xattr : { name: xattr.name, value: acl.value });
  }
  return { kept, dropped, malformed: undefined };
}

/** EXT4_XATTR_PAD: names and values begin at multiples of four. */
function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function diskNameBytes(name: ByteString): number {
  if (isAclName(name)) return 0;
  const prefix = namespaces.find((namespace) => name.startsWith(namespace)) ?? "";
  return name.length - prefix.length;
}
