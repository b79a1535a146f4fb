import { sliceBytes, splitPath, type ByteString } from "../base/bytes.ts";
import type { CleanPath } from "./entry-path.ts";
import type { DirectoryInode, Inode } from "./root-tree.ts";

/** Linux follows as many for one path and then gives up with ELOOP (include/linux/namei.h, MAXSYMLINKS). */
const maxLinks = 40;

const slash = 0x2f;
const dot = 0x2e;

/** Where a path leads, its last component followed too. */
export interface Walk<D extends DirectoryInode> {
  /** The last directory on the way that exists. */
  readonly directory: D;
  /** Names from the root to `directory`. */
  readonly names: readonly ByteString[];
  /** What is left of the path below `directory`: the first of these is missing there, or is no directory. */
  readonly missing: readonly ByteString[];
  /** Whether `..` took away a name that is missing: where this leads changes once there is a symlink of that name. */
  readonly assumed: boolean;
  /** How many components were looked at, as a measure of the work. */
  readonly steps: number;
}

/**
 * What stands under a name: undefined where nothing does.
 *
 * @param names those from the root to `directory`
 * @param depth how many components of the path have been taken, this one included; 0 for one of a link's target
 */
export type LookUp<D extends DirectoryInode> = (
  directory: D,
  name: ByteString,
  names: readonly ByteString[],
  depth: number,
) => D | Exclude<Inode, DirectoryInode> | undefined;

/**
 * Follows a path as a process would whose root directory is the image's: absolute link targets start at `root`, and
 * `..` stops there. Below what does not exist, `..` takes a name away, so that a dangling link leads to where it
 * would if everything on its way existed (as securejoin does for umoci, and fs.RootPath for containerd).
 *
 * Returns undefined where it takes more than 40 links, or leads in a circle.
 */
export function walk<D extends DirectoryInode>(
  root: D,
  path: CleanPath,
  lookUp: LookUp<D>,
): Walk<D> | undefined {
  const directories = [root];
  const names: ByteString[] = [];
  const missing: ByteString[] = [];
  const todo: ByteString[] = splitPath(path).toReversed();
  const length = todo.length;
  // The path's own components lie at the bottom of `todo`, those of link targets on top of them.
  let untaken = length;
  let directory = root;
  let links = 0;
  let assumed = false;
  let steps = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    steps++;
    const own = todo.length < untaken;
    if (own) untaken = todo.length;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (missing.pop() !== undefined) assumed = true;
      else if (names.length > 0) {
        names.pop();
        directories.pop();
        directory = directories.at(-1) ?? root;
      }
      continue;
    }
    const found = missing.length > 0 ? undefined : lookUp(directory, name, names, own ? length - untaken : 0);
    if (found?.kind === "directory") {
      names.push(name);
      directories.push(found);
      directory = found;
    } else if (found?.kind === "symlink") {
      if (++links > maxLinks) return undefined;
      if (found.target.startsWith("/")) {
        names.length = 0;
        directories.length = 1;
        directory = root;
      }
      steps += pushReversed(todo, found.target);
    } else {
      missing.push(name);
    }
  }
  return { directory, names, missing, assumed, steps };
}

/**
 * Puts a target's names on top of `todo`, the first of them on top of all. Those that lead nowhere, "" and ".", are left
 * out without becoming strings: a layer may hold thousands of them in a target that all of its paths go through.
 *
 * @returns how many were left out
 */
function pushReversed(todo: ByteString[], target: ByteString): number {
  let leftOut = 0;
  let end = target.length;
  for (let i = end - 1; i >= -1; i--) {
    if (i >= 0 && target.charCodeAt(i) !== slash) continue;
    const length = end - i - 1;
    if (length === 0 || (length === 1 && target.charCodeAt(i + 1) === dot)) leftOut++;
    else todo.push(sliceBytes(target, i + 1, end));
    end = i;
  }
  return leftOut;
}
