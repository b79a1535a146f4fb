import type { ByteString } from "../base/bytes.ts";
import type { LayerEntry, Timestamp } from "./layer-index.ts";
import type { DeviceInode, DirectoryInode, FifoInode, FileInode, Origin, SymlinkInode } from "./root-tree.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A tree while it is merged: the very objects that will be the RootTree, so that nothing is copied at the end. */
export interface MutableDirectory extends Mutable<Omit<DirectoryInode, "children">> {
  children: Map<ByteString, MutableInode>;
}

export type MutableLeaf = Mutable<FileInode | SymlinkInode | DeviceInode | FifoInode>;

/** `linkCount` is 0 until the tree is finished: names come and go while layers are merged. */
export type MutableInode = MutableDirectory | MutableLeaf;

/** Linux gives every symlink this mode, and has no call to change it (symlink(7)). */
const symlinkMode = 0o777;

/** 34 bits of seconds, from -2^31: ext4's i_mtime and two bits of i_mtime_extra (kernel: fs/ext4/ext4.h, EXT4_EPOCH_BITS). */
const earliest = -0x80000000;
const latest = 0x37fffffff;

/**
 * 2310-04-04T16:10:40Z to 2378-04-22T19:24:47Z: until 2242, e2fsck takes such a time for one before 1970 that an old
 * Linux wrote wrongly. It says so, and makes it that without asking where a guest runs it at its start (e2fsck/pass1.c,
 * EXT4_EXTRA_NEGATIVE_DATE_CUTOFF; problem.c, PR_PREEN_OK).
 */
const firstMistaken = 0x280000000;
const lastMistaken = 0x2ffffffff;

/** The nearest time that ext4 can hold, and e2fsck leaves alone: the same object where that is the time itself. */
export function clampTime(time: Timestamp): Timestamp {
  if (time.seconds < earliest) return { seconds: earliest, nanoseconds: 0 };
  // The kernel too cuts the nanoseconds off at the last second (timestamp_truncate).
  if (time.seconds > latest || (time.seconds === latest && time.nanoseconds > 0)) {
    return { seconds: latest, nanoseconds: 0 };
  }
  if (time.seconds < firstMistaken || time.seconds > lastMistaken) return time;
  const isEarly = time.seconds - firstMistaken < lastMistaken - time.seconds;
  return { seconds: isEarly ? firstMistaken - 1 : lastMistaken + 1, nanoseconds: 0 };
}

/** The root of an image of which nothing is known yet. */
export function emptyRoot(): MutableDirectory {
  return madeDirectory({ layer: 0, entry: 0 }, { seconds: 0, nanoseconds: 0 });
}

/** A directory that no entry describes: 0755, owned by root. */
export function madeDirectory(origin: Origin, mtime: Timestamp): MutableDirectory {
  return {
    kind: "directory",
    origin,
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime,
    xattrs: [],
    linkCount: 0,
    children: new Map(),
  };
}

/** Gives a directory all the metadata of a newer entry for it; nothing of the old stays. */
export function describe(directory: MutableDirectory, entry: LayerEntry, origin: Origin): void {
  directory.origin = origin;
  directory.mode = entry.mode;
  directory.uid = entry.uid;
  directory.gid = entry.gid;
  directory.mtime = clampTime(entry.mtime);
  directory.xattrs = entry.xattrs;
}

/** A new inode as an entry describes it. It shares the entry's times, xattrs and hash, which nobody changes. */
export function inodeOf(entry: Exclude<LayerEntry, { kind: "hardlink" }>, layer: number): MutableInode {
  const { mode, uid, gid, xattrs } = entry;
  const origin = { layer, entry: entry.number };
  const mtime = clampTime(entry.mtime);
  switch (entry.kind) {
    case "file": {
      const { size, offset, storedBytes, segments, sha256 } = entry;
      const content = { layer, offset, storedBytes, segments, sha256 };
      return { kind: "file", origin, mode, uid, gid, mtime, xattrs, linkCount: 0, size, content };
    }
    case "directory":
      return { kind: "directory", origin, mode, uid, gid, mtime, xattrs, linkCount: 0, children: new Map() };
    case "symlink": {
      const { target } = entry;
      return { kind: "symlink", origin, mode: symlinkMode, uid, gid, mtime, xattrs, linkCount: 0, target };
    }
    case "character":
    case "block": {
      const { kind, major, minor } = entry;
      return { kind, origin, mode, uid, gid, mtime, xattrs, linkCount: 0, major, minor };
    }
    case "fifo":
      return { kind: "fifo", origin, mode, uid, gid, mtime, xattrs, linkCount: 0 };
  }
}
