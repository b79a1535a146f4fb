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
  yield { path: rootPath, inode: root };
  // Of each directory on the way down: those of its names that are still to come, made into paths one by one, as a
  // directory may have a million.
  const open = [openDirectory(rootPath, root)];
  for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
    const name = directory.names[directory.next++];
    if (name === undefined) {
      open.pop();
      continue;
    }
    const inode = directory.children.get(name);
    if (inode === undefined) continue;
    const path = joinPath(directory.path, name);
    yield { path, inode };
    if (inode.kind === "directory") open.push(openDirectory(path, inode));
  }
}

interface OpenDirectory {
  readonly path: CleanPath;
  readonly children: DirectoryInode["children"];
  readonly names: readonly ByteString[];
  next: number;
}

function openDirectory(path: CleanPath, directory: DirectoryInode): OpenDirectory {
  return { path, children: directory.children, names: sortedNames(directory), next: 0 };
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
