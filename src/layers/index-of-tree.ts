import { utf8Bytes, type ByteString } from "../base/bytes.ts";
import type { LayerEntry } from "./layer-index.ts";
import { everyName, type NamedInode } from "./tree-walk.ts";
import type { Inode, RootTree } from "./root-tree.ts";

/** How a layer names its root. */
const rootEntry = utf8Bytes("./");

/**
 * The tree as the entries of a single layer: flattening a layer of them makes the same tree again. Content keeps its
 * sizes and hash; where it lies is said of the layer it was in, and means nothing in this one.
 */
export function* entriesOfTree(tree: RootTree): Generator<LayerEntry, undefined, undefined> {
  const firstNames = new Map<Inode, ByteString>();
  let number = 0;
  for (const named of everyName(tree.root)) {
    const { path, inode } = named;
    const linked = inode.kind !== "directory" && inode.linkCount > 1;
    const target = linked ? firstNames.get(inode) : undefined;
    if (linked && target === undefined) firstNames.set(inode, path);
    yield entryOf(named, ++number, target);
  }
}

function entryOf({ path, inode }: NamedInode, number: number, target: ByteString | undefined): LayerEntry {
  const { mode, uid, gid, mtime, xattrs } = inode;
  const base = { number, path: path === "" ? rootEntry : path, mode, uid, gid, mtime, xattrs };
  if (target !== undefined) return { ...base, kind: "hardlink", target };
  switch (inode.kind) {
    case "file": {
      const { storedBytes, segments, sha256 } = inode.content;
      return { ...base, kind: "file", size: inode.size, offset: 0, storedBytes, segments, sha256 };
    }
    case "symlink":
      return { ...base, kind: "symlink", target: inode.target };
    case "character":
    case "block":
      return { ...base, kind: inode.kind, major: inode.major, minor: inode.minor };
    case "directory":
    case "fifo":
      return { ...base, kind: inode.kind };
  }
}
