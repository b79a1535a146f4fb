import { utf8Bytes, type ByteString } from "../../base/bytes.ts";
import { joinPath, type CleanPath } from "../../layers/entry-path.ts";
import { directoryEntryBytes, expansionBlocks } from "../space-needs.ts";
import type { DirectoryInode, Inode } from "../../layers/root-tree.ts";
import { sortedNames } from "../../layers/tree-walk.ts";

/**
 * Some names are staged away from their directory, in buckets, and moved to it once mkfs is done (see `gather.ts`):
 * - of directories with many names: mke2fs looks for room for each name in all blocks before (1.47.0: 30,000 names
 *   took 127 s), and counts subdirectories in 16 bits;
 * - of directories with long paths: mke2fs writes a byte past its buffer where a path has exactly 510, 1,020 or 2,040
 *   bytes (1.47.0, `path_append`), which glibc's rounding of sizes hides but for the last, where it aborts.
 */
const namesPerBucket = 512;
const longestPath = 700;

/** mke2fs puts up with a few thousand buckets in a folder as it does with files. */
const bucketsPerFolder = 512;

export interface GatheredDirectory {
  /** All paths are where mkfs sees them, relative to the staging folder. */
  readonly path: CleanPath;
  readonly buckets: readonly CleanPath[];
}

export interface GatherPlan {
  /** The folder that all buckets are in; undefined where there is none. */
  readonly holder: ByteString | undefined;
  readonly directories: readonly GatheredDirectory[];
  /** Folders that are none of the tree's: holder, its folders, and the buckets, parents first. */
  readonly folders: readonly CleanPath[];
  /** What those take up at most, until they go. */
  readonly blocks: number;
}

/** One name of the tree, and where it is staged. */
export interface StagedName {
  readonly path: CleanPath;
  readonly staged: CleanPath;
  readonly inode: Inode;
}

/** Decides where everything is staged. Read `plan` once `names` has ended. */
export class Placement {
  readonly #holder: ByteString;
  readonly #root: DirectoryInode;
  readonly #directories: GatheredDirectory[] = [];
  readonly #folders: CleanPath[] = [];
  #buckets = 0;
  #blocks = 0;

  constructor(root: DirectoryInode) {
    this.#root = root;
    this.#holder = freeName(root);
  }

  get plan(): GatherPlan {
    const holder = this.#buckets === 0 ? undefined : this.#holder;
    return { holder, directories: this.#directories, folders: this.#folders, blocks: this.#blocks };
  }

  /** Every name in the order of `everyName`. */
  *names(): Generator<StagedName, undefined, undefined> {
    const nowhere = utf8Bytes("");
    const todo: StagedName[] = [{ path: nowhere, staged: nowhere, inode: this.#root }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      yield next;
      const { path, staged, inode } = next;
      if (inode.kind !== "directory") continue;
      const names = sortedNames(inode);
      const folderOf = this.#foldersFor(staged, names);
      for (let i = names.length - 1; i >= 0; i--) {
        const name = names[i];
        const child = name === undefined ? undefined : inode.children.get(name);
        if (name === undefined || child === undefined) continue;
        todo.push({ path: joinPath(path, name), staged: joinPath(folderOf(i, name), name), inode: child });
      }
    }
  }

  /** Tells the folder in which the name at that place is staged. */
  #foldersFor(
    directory: CleanPath,
    names: readonly ByteString[],
  ): (at: number, name: ByteString) => CleanPath {
    if (names.length <= 2 * namesPerBucket && directory.length <= longestPath) return () => directory;
    if (names.length === 0) return () => directory;
    const count = Math.ceil(names.length / namesPerBucket);
    const buckets = Array.from({ length: count }, () => this.#newBucket());
    this.#directories.push({ path: directory, buckets });
    // A block holds fewer bytes of names than this only where a name did not fit any more.
    const bytes = names.reduce((sum, name) => sum + directoryEntryBytes(name), 0);
    this.#blocks += expansionBlocks(bytes) + count;
    return (at, name) => {
      // mkfs makes one of its own, and merges the tree's with it by its path.
      const text: string = name;
      if (directory === "" && text === "lost+found") return directory;
      return buckets[Math.floor(at / namesPerBucket)] ?? directory;
    };
  }

  #newBucket(): CleanPath {
    const number = this.#buckets++;
    const folder = joinPath(this.#holder, utf8Bytes(String(Math.floor(number / bucketsPerFolder))));
    if (number === 0) this.#addFolder(this.#holder);
    if (number % bucketsPerFolder === 0) this.#addFolder(folder);
    const bucket = joinPath(folder, utf8Bytes(String(number % bucketsPerFolder)));
    this.#folders.push(bucket);
    return bucket;
  }

  /** Its names are numbers, for which three blocks are enough; of the holder's, as long as there are a million buckets. */
  #addFolder(path: CleanPath): void {
    this.#folders.push(path);
    this.#blocks += path === this.#holder ? 16 : 3;
  }
}

/** A name that nothing in the root has. */
function freeName(root: DirectoryInode): ByteString {
  const taken: ReadonlySet<string> = new Set(root.children.keys());
  let name = "banger";
  while (taken.has(name)) name += "-";
  return utf8Bytes(name);
}
