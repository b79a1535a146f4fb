/**
 * The form of getxattr(2), which trees hold (kernel include/uapi/linux/posix_acl_xattr.h): a u32 of version 2, then
 * a u16 tag, a u16 of permissions and a u32 id an entry.
 */
const given = { head: 4, entryBytes: 8, tag: 0, permissions: 2, id: 4 } as const;

/**
 * ext4's own (kernel fs/ext4/acl.h, `ext4_acl_header`, `ext4_acl_entry`, `ext4_acl_entry_short`): a u32 of version 1,
 * then a u16 tag and a u16 of permissions an entry, and a u32 id only where the tag is of a named user or group.
 */
const disk = { version: 1, head: 4, shortBytes: 4, longBytes: 8, permissions: 2, id: 4 } as const;

/** ACL_USER and ACL_GROUP of kernel include/uapi/linux/posix_acl.h. */
const namedTags: ReadonlySet<number> = new Set([0x02, 0x08]);

/** What ext4 stores of an ACL that flatten accepted (`readAcl`). */
export function encodeAcl(value: Buffer): Buffer {
  const out = Buffer.alloc(disk.head + ((value.length - given.head) / given.entryBytes) * disk.longBytes);
  out.writeUInt32LE(disk.version, 0);
  let end: number = disk.head;
  for (let at: number = given.head; at < value.length; at += given.entryBytes) {
    const tag = value.readUInt16LE(at + given.tag);
    out.writeUInt16LE(tag, end);
    out.writeUInt16LE(value.readUInt16LE(at + given.permissions), end + disk.permissions);
    if (namedTags.has(tag)) out.writeUInt32LE(value.readUInt32LE(at + given.id), end + disk.id);
    end += namedTags.has(tag) ? disk.longBytes : disk.shortBytes;
  }
  return out.subarray(0, end);
}
