import { joinBytes, type ByteString } from "../base/bytes.ts";
import type { Sliced } from "../base/slices.ts";
import type { CleanPath } from "../layers/entry-path.ts";
import type { DirectoryInode, Inode } from "../layers/root-tree.ts";
import { sortedNames } from "../layers/tree-walk.ts";

/** What a part of an image holds. */
export interface Usage {
  /** Stored bytes of files, holes left out; a hard-linked file counts once, where its first name is. */
  readonly contentBytes: number;
  readonly inodes: number;
}

export interface PathUsage extends Usage {
  /** Below the root, without a slash at either end. */
  readonly path: ByteString;
}

export interface LayerUsage extends Usage {
  /** Position, from 0 and oldest first. */
  readonly layer: number;
}

export interface TreeUsage {
  readonly total: Usage;
  /** Largest first; those that are too many are left out. */
  readonly folders: readonly PathUsage[];
  readonly files: readonly PathUsage[];
  /** By position; undefined where nobody knows. */
  readonly layers: readonly LayerUsage[] | undefined;
  readonly truncated: boolean;
}

export interface UsageOptions {
  readonly path: CleanPath;
  /** Levels of folders below the path that are told apart. */
  readonly depth: number;
  /** Folders, and files, that are listed. */
  readonly limit: number;
  readonly layerOf: ((inode: Inode) => number | undefined) | undefined;
}

/** Inodes that are looked at between two pauses. */
const slice = 1000;

interface Sum {
  contentBytes: number;
  inodes: number;
}

interface Visit {
  readonly inode: Inode;
  readonly path: CleanPath;
  /** Sums of the folders that it is in, of those that are told apart. */
  readonly sums: readonly Sum[];
  readonly depth: number;
}

/** What is large below a folder of an image, by folder, file and layer. Pure. */
export function* treeUsage(folder: DirectoryInode, options: UsageOptions): Sliced<TreeUsage> {
  const count = new Count(options);
  const todo: Visit[] = [{ inode: folder, path: options.path, sums: [], depth: 0 }];
  let looked = 0;
  for (let visit = todo.pop(); visit !== undefined; visit = todo.pop()) {
    // One by one: a folder may hold more than a call takes arguments.
    for (const inside of count.look(visit)) todo.push(inside);
    if (++looked % slice === 0) yield;
  }
  return count.result();
}

class Count {
  readonly #options: UsageOptions;
  readonly #total: Sum = { contentBytes: 0, inodes: 0 };
  readonly #folders: { readonly path: ByteString; readonly sum: Sum }[] = [];
  #files: PathUsage[] = [];
  #filesSeen = 0;
  readonly #layers = new Map<number, Sum>();
  readonly #linked = new Set<Inode>();

  constructor(options: UsageOptions) {
    this.#options = options;
  }

  /** Counts one name, and returns what is in it, the last first. */
  look({ inode, path, sums, depth }: Visit): readonly Visit[] {
    if (inode.kind !== "directory") {
      this.#leaf(inode, path, sums);
      return [];
    }
    const isToldApart = depth > 0 && depth <= this.#options.depth;
    const sum: Sum = { contentBytes: 0, inodes: 0 };
    if (isToldApart) this.#folders.push({ path, sum });
    const below = isToldApart ? [...sums, sum] : sums;
    this.#add(inode, 0, below);
    return sortedNames(inode)
      .toReversed()
      .flatMap((name) => {
        const child = inode.children.get(name);
        const childPath = path === "" ? name : joinBytes([path, name], "/");
        return child === undefined ? [] : [{ inode: child, path: childPath, sums: below, depth: depth + 1 }];
      });
  }

  #leaf(inode: Exclude<Inode, DirectoryInode>, path: CleanPath, sums: readonly Sum[]): void {
    if (inode.linkCount > 1) {
      if (this.#linked.has(inode)) return;
      this.#linked.add(inode);
    }
    const contentBytes = inode.kind === "file" ? inode.content.storedBytes : 0;
    this.#add(inode, contentBytes, sums);
    if (contentBytes === 0) return;
    this.#filesSeen++;
    this.#files.push({ path, contentBytes, inodes: 1 });
    // Now and then, so that no list of all files is kept.
    if (this.#files.length >= 2 * this.#options.limit + slice) this.#files = this.#largest(this.#files);
  }

  #add(inode: Inode, contentBytes: number, sums: readonly Sum[]): void {
    const layer = this.#options.layerOf?.(inode);
    const ofLayer: Sum = (layer === undefined ? undefined : this.#layers.get(layer)) ?? {
      contentBytes: 0,
      inodes: 0,
    };
    if (layer !== undefined) this.#layers.set(layer, ofLayer);
    for (const sum of [this.#total, ofLayer, ...sums]) {
      sum.contentBytes += contentBytes;
      sum.inodes++;
    }
  }

  #largest<T extends PathUsage>(usages: readonly T[]): T[] {
    return usages
      .toSorted((a, b) => b.contentBytes - a.contentBytes || b.inodes - a.inodes)
      .slice(0, this.#options.limit);
  }

  result(): TreeUsage {
    const { layerOf, limit } = this.#options;
    const layers = [...this.#layers]
      .map(([layer, { contentBytes, inodes }]) => ({ layer, contentBytes, inodes }))
      .toSorted((a, b) => a.layer - b.layer);
    return {
      total: this.#total,
      folders: this.#largest(
        this.#folders.map(({ path, sum: { contentBytes, inodes } }) => ({ path, contentBytes, inodes })),
      ),
      files: this.#largest(this.#files),
      layers: layerOf === undefined ? undefined : layers,
      truncated: this.#folders.length > limit || this.#filesSeen > limit,
    };
  }
}
