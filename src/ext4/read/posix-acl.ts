import { corrupt, type Place } from "./corrupt.ts";

/**
 * ext4's own form (kernel fs/ext4/acl.h): a 32-bit version, 1, then 16-bit tag and permissions an entry, and a
 * 32-bit id only where the tag is a named user or group.
 */
const diskVersion = 1;
const shortEntryBytes = 4;
const longEntryBytes = 8;

/** The form of getxattr(2) (kernel include/uapi/linux/posix_acl_xattr.h): 32 bits, 2, then eight bytes an entry. */
const xattrVersion = 2;
const xattrEntryBytes = 8;

/** kernel include/uapi/linux/posix_acl.h. */
const tags = { userOwner: 0x01, user: 0x02, groupOwner: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(tags));
const undefinedId = 0xffffffff;

/** An ACL as getxattr(2) would return it, from what ext4 stores: `ext4_acl_from_disk`, then `posix_acl_to_xattr`. */
export function decodeAcl(disk: Buffer, place: Place): Buffer {
  if (disk.length < 4 || disk.readUInt32LE(0) !== diskVersion)
    throw corrupt(place, "an ACL has an unknown version");
  const head = Buffer.alloc(4);
  head.writeUInt32LE(xattrVersion);
  const entries = [head];
  for (let at = 4; at < disk.length;) {
    if (at + shortEntryBytes > disk.length) throw corrupt(place, "an ACL ends within an entry");
    const tag = disk.readUInt16LE(at);
    if (!knownTags.has(tag)) throw corrupt(place, `an ACL has the unknown tag ${tag}`);
    const named = tag === tags.user || tag === tags.group;
    const length = named ? longEntryBytes : shortEntryBytes;
    if (at + length > disk.length) throw corrupt(place, "an ACL ends within an entry");
    const out = Buffer.alloc(xattrEntryBytes);
    disk.copy(out, 0, at, at + shortEntryBytes);
    out.writeUInt32LE(named ? disk.readUInt32LE(at + shortEntryBytes) : undefinedId, shortEntryBytes);
    entries.push(out);
    at += length;
  }
  return Buffer.concat(entries);
}
