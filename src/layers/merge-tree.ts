import { joinBytes, type ByteString } from "../base/bytes.ts";
import type { Limits } from "../base/limits.ts";
import { joinPath, lastName, parentPath, type CleanPath } from "./entry-path.ts";
import { refuse, type EntrySite } from "./flatten-rules.ts";
import {
  clampTime,
  emptyRoot,
  madeDirectory,
  type MutableDirectory,
  type MutableInode,
} from "./mutable-tree.ts";
import { walk, type LookUp, type Walk } from "./path-walk.ts";
import { isWhiteoutName } from "./whiteout-name.ts";

/** A directory that a path leads to. */
export interface Parent {
  readonly directory: MutableDirectory;
  /** Where it lies, with no symlink on the way. */
  readonly path: CleanPath;
  /** Whether it leads there until a directory or a symlink is taken out of the tree. */
  readonly lasting: boolean;
}

/**
 * Told of each directory that is made for want of an entry: its names from the root, to be read at once, and whether
 * something else had to go for it.
 */
export type OnMade = (names: readonly ByteString[], replaced: boolean, site: EntrySite) => void;

/**
 * The tree that layers are merged into: finds the directories that entries go into, makes those that are missing,
 * and puts inodes under names. The only place that changes `children` while a layer's entries are merged.
 */
export class MergeTree {
  readonly root: MutableDirectory = emptyRoot();
  /** A measure of the work done so far: components looked at. */
  steps = 0;
  readonly #limits: Limits;
  readonly #onMade: OnMade;
  #inodesMade = 0;
  /** Archives come folder by folder, so that what was found once is asked for again. */
  readonly #known = new Map<CleanPath, Parent>();
  #last: { readonly wanted: CleanPath; readonly parent: Parent } | undefined;

  constructor(limits: Limits, onMade: OnMade) {
    this.#limits = limits;
    this.#onMade = onMade;
  }

  /** The directory that the last component of `path` goes into, made if need be. */
  makeParent(path: CleanPath, site: EntrySite): Parent {
    const end = Math.max(0, path.lastIndexOf("/"));
    const last = this.#last;
    if (last !== undefined && last.wanted.length === end && path.startsWith(last.wanted)) return last.parent;
    const wanted = parentPath(path);
    const parent = this.#find(wanted, site) ?? this.#makeAll(wanted, site);
    if (!parent.lasting) return parent;
    this.#known.set(wanted, parent);
    this.#last = { wanted, parent };
    return parent;
  }

  /** The same, where it exists. */
  findParent(path: CleanPath, site: EntrySite): Parent | undefined {
    const wanted = parentPath(path);
    const parent = this.#find(wanted, site);
    if (parent?.lasting === true) this.#known.set(wanted, parent);
    return parent;
  }

  /** Where a path leads, by the names that `lookUp` sees. */
  walk(
    path: CleanPath,
    site: Pick<EntrySite, "layer" | "entry">,
    lookUp: LookUp<MutableDirectory> = inTree,
  ): Walk<MutableDirectory> {
    const end = walk(this.root, path, lookUp);
    if (end === undefined) return refuse("symlink-loop", site);
    this.steps += end.steps;
    if (this.steps > this.#limits.pathSteps) refuse("too-many-steps", site);
    return end;
  }

  /** Takes away what stands under a name, if anything does. */
  unlink(directory: MutableDirectory, name: ByteString): void {
    const old = directory.children.get(name);
    if (old === undefined) return;
    directory.children.delete(name);
    if (old.kind === "directory" || old.kind === "symlink") this.forget();
  }

  /** Puts an inode under a free name. */
  add(parent: Parent, name: ByteString, inode: MutableInode, site: EntrySite): void {
    this.#put(parent.directory, parent.path.length, name, inode, site);
  }

  /** To be called by whoever takes directories or symlinks out of the tree. */
  forget(): void {
    this.#known.clear();
    this.#last = undefined;
  }

  #find(wanted: CleanPath, site: EntrySite): Parent | undefined {
    const known = this.#known.get(wanted);
    if (known !== undefined) return known;
    const above = this.#known.get(parentPath(wanted));
    const child = above?.directory.children.get(lastName(wanted));
    if (above !== undefined && child?.kind === "directory") {
      this.steps++;
      return {
        directory: child,
        path: joinPath(above.path, lastName(wanted)),
        lasting: true,
      };
    }
    const end = this.walk(wanted, site);
    if (end.missing.length > 0) return undefined;
    const { directory, assumed } = end;
    return { directory, path: joinBytes(end.names, "/"), lasting: !assumed };
  }

  #makeAll(wanted: CleanPath, site: EntrySite): Parent {
    const { directory: start, names: found, missing, assumed } = this.walk(wanted, site);
    let directory = start;
    const names = [...found];
    let length = joinBytes(names, "/").length;
    for (const name of missing) {
      const replaced = directory.children.delete(name);
      const origin = { layer: site.layerNumber, entry: site.entry.number };
      const made = madeDirectory(origin, clampTime(site.entry.mtime));
      this.#put(directory, length, name, made, site);
      names.push(name);
      length = joinedLength(length, name);
      this.#onMade(names, replaced, site);
      directory = made;
    }
    return { directory, path: joinBytes(names, "/"), lasting: !assumed };
  }

  #put(
    directory: MutableDirectory,
    pathLength: number,
    name: ByteString,
    inode: MutableInode,
    site: EntrySite,
  ): void {
    const { nameBytes, pathBytes, entries } = this.#limits;
    if (name.length > nameBytes) refuse("name-too-long", site);
    if (joinedLength(pathLength, name) > pathBytes) refuse("path-too-long", site);
    if (isWhiteoutName(name)) refuse("whiteout-in-path", site);
    if (++this.#inodesMade > entries) refuse("too-many-entries", site);
    directory.children.set(name, inode);
  }
}

const inTree: LookUp<MutableDirectory> = (directory, name) => directory.children.get(name);

/** Length of a path that is `name` below one of that length. */
function joinedLength(length: number, name: ByteString): number {
  return length === 0 ? name.length : length + 1 + name.length;
}
