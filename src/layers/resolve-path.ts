import { joinBytes } from "../base/bytes.ts";
import { joinPath, lastName, parentPath, type CleanPath } from "./entry-path.ts";
import { walk, type LookUp } from "./path-walk.ts";
import type { DirectoryInode, Inode, RootTree } from "./root-tree.ts";

/** Where a path leads in a finished tree. */
export interface Place {
  /** The path with no symlink in it, but perhaps the last name's. */
  readonly path: CleanPath;
  /** What is there; undefined where nothing is, or where a directory on the way is missing. */
  readonly inode: Inode | undefined;
}

const inTree: LookUp<DirectoryInode> = (directory, name) => directory.children.get(name);

/**
 * Where the name that a path ends in lies, all symlinks before it followed inside the tree, as flatten does for a
 * layer's entry. The last name is not followed. Undefined where the links go in a circle.
 */
export function placeOf(tree: RootTree, path: CleanPath): Place | undefined {
  const parent = walk(tree.root, parentPath(path), inTree);
  if (parent === undefined) return undefined;
  const name = lastName(path);
  const folder = joinBytes([...parent.names, ...parent.missing], "/");
  const inode = parent.missing.length > 0 ? undefined : parent.directory.children.get(name);
  return { path: joinPath(folder, name), inode };
}

/** What opening a path would open: the last name's links followed too. Undefined where there is nothing, or a circle. */
export function lookUpPath(tree: RootTree, path: CleanPath): Inode | undefined {
  const end = walk(tree.root, path, inTree);
  if (end === undefined) return undefined;
  const [name, ...more] = end.missing;
  if (name === undefined) return end.directory;
  return more.length > 0 ? undefined : end.directory.children.get(name);
}
