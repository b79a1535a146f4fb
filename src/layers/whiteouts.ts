import { splitPath, joinBytes, type ByteString } from "../base/bytes.ts";
import type { Sliced } from "../base/slices.ts";
import type { CleanPath } from "./entry-path.ts";
import type { DirectoryEntry, LayerEntry, LayerIndex, SymlinkEntry } from "./layer-index.ts";
import type { MergeTree } from "./merge-tree.ts";
import { inodeOf, type MutableDirectory, type MutableInode } from "./mutable-tree.ts";
import type { LookUp } from "./path-walk.ts";

/** How many markers are applied between two pauses. */
const slice = 4096;

/** One whiteout of a layer: hides `name` in the directory at `parent`, or all of it where that is undefined. */
export interface Marker {
  readonly entry: LayerEntry;
  readonly parent: CleanPath;
  readonly name: ByteString | undefined;
}

/** Directories and symlinks that a layer brings, by clean path, the last entry for each. */
export type OwnNames = ReadonlyMap<CleanPath, DirectoryEntry | SymlinkEntry>;

/**
 * What a layer hides of those below, taken out of the tree before its first entry is merged: so a marker never
 * hides anything of its own layer, wherever in the archive it stands. Kept until the layer's end, because a hard
 * link may still go to what is only hidden from below.
 */
export class Hidden {
  readonly #byDirectory = new Map<MutableDirectory, Map<ByteString, MutableInode>>();

  /** Takes one name, or all, out of a directory. */
  hide(directory: MutableDirectory, name: ByteString | undefined): void {
    const { children } = directory;
    const hidden = this.#byDirectory.get(directory);
    if (name === undefined) {
      if (children.size === 0) return;
      directory.children = new Map();
      if (hidden === undefined) this.#byDirectory.set(directory, children);
      else for (const [child, inode] of children) hidden.set(child, inode);
      return;
    }
    const inode = children.get(name);
    if (inode === undefined) return;
    children.delete(name);
    if (hidden === undefined) this.#byDirectory.set(directory, new Map([[name, inode]]));
    else hidden.set(name, inode);
  }

  /** The tree as it was below this layer: hidden names come before those of the layer itself. */
  readonly lookUp: LookUp<MutableDirectory> = (directory, name) =>
    this.#byDirectory.get(directory)?.get(name) ?? directory.children.get(name);

  get isEmpty(): boolean {
    return this.#byDirectory.size === 0;
  }
}

/**
 * Applies a layer's markers to the tree of the layers below.
 *
 * A marker's directory is looked up in the tree below, through its symlinks, with the layer's own directories and
 * symlinks laid over it: a directory that the layer puts where a symlink was has nothing from below in it (the opaque
 * marker that overlayfs and BuildKit write into such a directory must not empty what the old link led to), and a
 * symlink that the layer brings leads where it leads. umoci and containerd do the same when the marker stands after
 * those entries; here it does not matter where it stands. Markers higher up come first: what is below a hidden
 * name is hidden with it.
 */
export function* applyMarkers(
  tree: MergeTree,
  layer: LayerIndex,
  markers: readonly Marker[],
  own: OwnNames,
): Sliced<Hidden> {
  const hidden = new Hidden();
  let applied = 0;
  let pauseAt = tree.steps + slice;
  for (const group of byDepth(markers)) {
    // Looked up together, applied together: among markers of one depth no order counts.
    const directories = new Map<CleanPath, MutableDirectory | undefined>();
    for (const marker of group) {
      if (!directories.has(marker.parent))
        directories.set(marker.parent, directoryOf(tree, layer, marker, own));
      if (tree.steps < pauseAt) continue;
      pauseAt = tree.steps + slice;
      yield;
    }
    for (const { parent, name } of group) {
      const directory = directories.get(parent);
      if (directory !== undefined) hidden.hide(directory, name);
      if (++applied % slice === 0) yield;
    }
  }
  tree.forget();
  return hidden;
}

/** Markers by how deep their directory lies, the root's first. */
function byDepth(markers: readonly Marker[]): readonly (readonly Marker[])[] {
  const groups: Marker[][] = [];
  for (const marker of markers) {
    const depth = marker.parent === "" ? 0 : splitPath(marker.parent).length;
    (groups[depth] ??= []).push(marker);
  }
  return groups.filter((group) => group !== undefined);
}

function directoryOf(
  tree: MergeTree,
  layer: LayerIndex,
  marker: Marker,
  own: OwnNames,
): MutableDirectory | undefined {
  const parts = splitPath(marker.parent);
  const ownEntry = (names: readonly ByteString[], name: ByteString, depth: number) =>
    own.get(joinBytes([...names, name], "/")) ??
    (depth > 0 ? own.get(joinBytes(parts.slice(0, depth), "/")) : undefined);
  const lookUp: LookUp<MutableDirectory> = (directory, name, names, depth) => {
    const below = directory.children.get(name);
    // Each look-up below joins so many names.
    tree.steps += names.length + depth;
    const entry = ownEntry(names, name, depth);
    if (entry?.kind === "symlink") return inodeOf(entry, 0);
    return entry?.kind === "directory" && below?.kind !== "directory" ? undefined : below;
  };
  const end = tree.walk(marker.parent, { layer, entry: marker.entry }, lookUp);
  return end.missing.length > 0 ? undefined : end.directory;
}
