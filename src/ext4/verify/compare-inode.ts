import { printable, type ByteString } from "../../base/bytes.ts";
import type { Timestamp, Xattr } from "../../layers/layer-index.ts";
import type { Inode } from "../../layers/root-tree.ts";
import type { Ext4Image } from "../read/image.ts";
import type { Ext4Inode } from "../read/inode.ts";
import type { Differences } from "./differences.ts";
import { ifReadable } from "./readable.ts";

/** EXT4_LINK_MAX: a directory with more links than that says 1, "unknown" (feature dir_nlink). */
const maxLinkCount = 65_000;
/** Bytes of an xattr that a difference quotes. */
const quotedBytes = 32;

export interface Pair {
  readonly path: ByteString;
  readonly expected: Inode;
  readonly found: Ext4Inode;
  /** Directories in it that the tree does not have and need not: each is a link more. */
  readonly extraDirectories: number;
}

/**
 * Compares all that an inode says of itself. Not the times of last access and change: the image's first boot
 * changes the one, and no interface can set the other.
 */
export function compareInode(
  { path, expected, found, extraDirectories }: Pair,
  image: Ext4Image,
  out: Differences,
): void {
  if (expected.kind !== found.kind) return out.add(path, "type", expected.kind, found.kind);
  out.compare(path, "mode", expected.mode, found.mode, octal);
  out.compare(path, "uid", expected.uid, found.uid);
  out.compare(path, "gid", expected.gid, found.gid);
  out.compare(path, "mtime", formatTime(expected.mtime), formatTime(found.mtime));
  const links = expected.linkCount + extraDirectories;
  const shown = expected.kind === "directory" && links > maxLinkCount ? 1 : links;
  out.compare(path, "link count", shown, found.linkCount);
  ifReadable(path, "xattrs", out, () => compareXattrs(path, expected.xattrs, image.xattrs(found), out));
  switch (expected.kind) {
    case "file":
      return out.compare(path, "size", expected.size, found.size);
    case "symlink":
      ifReadable(path, "target", out, () =>
        out.compare(path, "target", expected.target, image.linkTarget(found), printable),
      );
      return;
    case "character":
    case "block":
      return out.compare(path, "device", formatDevice(expected), formatDevice(found));
    case "directory":
    case "fifo":
  }
}

/** Both are sorted by name and have each name once. */
function compareXattrs(
  path: ByteString,
  expected: readonly Xattr[],
  found: readonly Xattr[],
  out: Differences,
): void {
  const values = new Map(found.map(({ name, value }) => [name, value]));
  for (const { name, value } of expected) {
    const other = values.get(name);
    values.delete(name);
    if (other?.equals(value) !== true) out.add(path, `xattr ${printable(name)}`, quote(value), quote(other));
  }
  for (const [name, value] of values)
    out.add(path, `xattr ${printable(name)}`, quote(undefined), quote(value));
}

function quote(value: Buffer | undefined): string {
  if (value === undefined) return "none";
  const hex = value.toString("hex", 0, quotedBytes);
  return value.length > quotedBytes ? `0x${hex}… (${value.length} bytes)` : `0x${hex}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function formatTime({ seconds, nanoseconds }: Timestamp): string {
  return `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}

function formatDevice({ major, minor }: { readonly major: number; readonly minor: number }): string {
  return `${major}:${minor}`;
}
