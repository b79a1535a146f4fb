import type { ByteString } from "../base/bytes.ts";

/** The form of getxattr(2) (kernel include/uapi/linux/posix_acl_xattr.h): 32 bits, 2, then eight bytes an entry. */
const version = 2;
const headBytes = 4;
const entryBytes = 8;
const idAt = 4;

/** kernel include/uapi/linux/posix_acl.h: the tags with an id, and those without one. */
const named: ReadonlySet<number> = new Set([0x02, 0x08]);
const unnamed: ReadonlySet<number> = new Set([0x01, 0x04, 0x10, 0x20]);
const undefinedId = 0xffffffff;

/** An ACL's value in an archive, and what becomes of it on the disk. */
export interface DiskAcl {
  /** As getxattr(2) will return it from the disk, which has no room for an id that means nothing. */
  readonly value: Buffer;
  /** Bytes in ext4's own form (kernel fs/ext4/acl.h): four an entry, eight where it names somebody. */
  readonly diskBytes: number;
}

export function isAclName(name: ByteString): boolean {
  return name === "system.posix_acl_access" || name === "system.posix_acl_default";
}

/** Undefined where it is no ACL that Linux would take: another version, a cut, an unknown tag, not one entry. */
export function readAcl(value: Buffer): DiskAcl | undefined {
  const entries = (value.length - headBytes) / entryBytes;
  if (entries < 1 || !Number.isInteger(entries) || value.readUInt32LE(0) !== version) return undefined;
  const copy = Buffer.from(value);
  let diskBytes = headBytes;
  for (let at = headBytes; at < copy.length; at += entryBytes) {
    const tag = copy.readUInt16LE(at);
    if (!named.has(tag) && !unnamed.has(tag)) return undefined;
    if (unnamed.has(tag)) copy.writeUInt32LE(undefinedId, at + idAt);
    diskBytes += named.has(tag) ? entryBytes : entryBytes / 2;
  }
  return { value: copy, diskBytes };
}
