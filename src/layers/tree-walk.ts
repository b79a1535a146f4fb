import { splitPath, utf8Bytes, type ByteString } from "../base/bytes.ts";
import { joinPath, type CleanPath } from "./entry-path.ts";
import type { DirectoryInode, Inode } from "./root-tree.ts";

/** One name of an inode. The root's path is empty; all others have no slash at either end. */
export interface NamedInode {
  readonly path: CleanPath;
  readonly inode: Inode;
}

const rootPath: CleanPath = utf8Bytes("");

/** The names in a directory, in the order of their bytes. */
export function sortedNames(directory: DirectoryInode): readonly ByteString[] {
  return [...directory.children.keys()].sort();
}

/**
 * Every name in the tree, the root's first, a directory before what is in it, names of one directory in the order of
 * their bytes. A hard-linked inode comes once for each of its names.
 */
export function* everyName(root: DirectoryInode): Generator<NamedInode, undefined, undefined> {
  const todo: NamedInode[] = [{ path: rootPath, inode: root }];
  for (let named = todo.pop(); named !== undefined; named = todo.pop()) {
    yield named;
    const { path, inode } = named;
    if (inode.kind !== "directory") continue;
    for (const name of sortedNames(inode).toReversed()) {
      const child = inode.children.get(name);
      if (child !== undefined) todo.push({ path: joinPath(path, name), inode: child });
    }
  }
}

/** Every inode once, in the order of `everyName`, with the first of its names. */
export function* everyInode(root: DirectoryInode): Generator<NamedInode, undefined, undefined> {
  const linked = new Set<Inode>();
  for (const named of everyName(root)) {
    const { inode } = named;
    if (inode.kind !== "directory" && inode.linkCount > 1) {
      if (linked.has(inode)) continue;
      linked.add(inode);
    }
    yield named;
  }
}

/** The inode of that very path, clean and without following any symlink. */
export function inodeAt(root: DirectoryInode, path: CleanPath): Inode | undefined {
  let inode: Inode | undefined = root;
  if (path === "") return inode;
  for (const name of splitPath(path)) {
    inode = inode?.kind === "directory" ? inode.children.get(name) : undefined;
  }
  return inode;
}
