import type { ByteString } from "../../base/bytes.ts";
import type { Sliced } from "../../base/slices.ts";
import type { DirectoryInode, Inode, RootTree } from "../../layers/root-tree.ts";
import { lostAndFoundName, lostAndFoundOf } from "../lost-and-found.ts";
import { type SpaceNeeds } from "../geometry.ts";
import { SpaceCounter } from "../space-needs.ts";
import { Column } from "./column.ts";
import { maxFastLink } from "./inode.ts";
import { LayerFiles } from "./layer-files.ts";
import { sortIndices } from "./sort-indices.ts";

/**
 * Every inode once, and every name. An inode's place in the list is its ordinal: the root's is 0, that of /lost+found
 * is 1, and the children of a directory follow one another, in the order of their names, directories
 * before what is in them.
 */
export interface InodeList {
  readonly inodes: readonly Inode[];
  /** Whose /lost+found ordinal 1 is. */
  readonly lostAndFound: "of the tree" | "made";
  /** All names, those of one directory together and in the order of their bytes. */
  readonly names: readonly ByteString[];
  /** By name: the ordinal that it leads to. */
  readonly targets: Column;
  /** Directories in the order of the list: ordinal, ordinal of the directory that it is in, its first name. */
  readonly directories: Column;
  readonly parents: Column;
  readonly firstNames: Column;
  /** Files with stored bytes, by the layer that has those. */
  readonly filesByLayer: readonly LayerFiles[];
  /** Ordinals of what has xattrs. */
  readonly withXattrs: Column;
  /** Ordinals of symlinks whose targets have no room in their inodes. */
  readonly longLinks: Column;
  readonly devices: number;
  /** What the tree takes up, without a /lost+found that it has not. */
  readonly needs: SpaceNeeds;
  /** Of all times, in whole seconds: for what the tree has no time for. From 1970, within the 32 bits of the superblock. */
  readonly newestSecond: number;
}

/** Names between two pauses. */
const slice = 2048;

/** Lists the tree, with a /lost+found of root's where it has none. */
export function* listInodes(tree: RootTree): Sliced<InodeList> {
  const lister = new Lister(tree);
  yield* lister.run();
  return lister;
}

/** As mke2fs makes it: 0700, owned by root. e2fsck puts there what it finds without a name. */
function makeLostAndFound(newestSecond: number): DirectoryInode {
  return {
    kind: "directory",
    origin: { layer: 0, entry: 0 },
    mode: 0o700,
    uid: 0,
    gid: 0,
    mtime: { seconds: newestSecond, nanoseconds: 0 },
    xattrs: [],
    linkCount: 2,
    children: new Map(),
  };
}

class Lister implements InodeList {
  readonly inodes: Inode[] = [];
  readonly lostAndFound: InodeList["lostAndFound"];
  readonly names: ByteString[] = [];
  readonly targets: Column;
  readonly directories = new Column();
  readonly parents = new Column();
  readonly firstNames = new Column();
  readonly filesByLayer: LayerFiles[] = [];
  readonly withXattrs = new Column();
  readonly longLinks = new Column();
  devices = 0;
  newestSecond = 0;
  readonly #space = new SpaceCounter();
  readonly #root: DirectoryInode;
  readonly #first: DirectoryInode;
  /** Ordinals of inodes with several names. */
  readonly #linked = new Map<Inode, number>();

  constructor({ root, inodeCount }: RootTree) {
    this.targets = new Column(inodeCount + 1);
    const found = lostAndFoundOf(root);
    this.lostAndFound = found === undefined ? "made" : "of the tree";
    this.#first = found ?? makeLostAndFound(0);
    this.#root = found === undefined ? withChild(root, this.#first) : root;
  }

  get needs(): SpaceNeeds {
    return this.#space.needs();
  }

  *run(): Sliced<void> {
    this.#push(this.#root);
    this.#push(this.#first, this.lostAndFound === "of the tree");
    const todo: { readonly inode: DirectoryInode; readonly ordinal: number; readonly parent: number }[] = [
      { inode: this.#root, ordinal: 0, parent: 0 },
    ];
    let sincePause = 0;
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { inode, ordinal, parent } = next;
      this.directories.push(ordinal);
      this.parents.push(parent);
      const firstName = this.firstNames.at(this.firstNames.push(this.names.length));
      for (const name of yield* sorted(inode)) {
        this.#addName(inode, name);
        if (++sincePause % slice === 0) yield;
      }
      // What ext4's own /lost+found takes is counted with the metadata.
      if (ordinal !== 1 || this.lostAndFound === "of the tree") this.#space.endDirectory();
      // Reversed, so that the first is next: what is below it comes before its neighbours' children.
      for (let i = this.names.length - 1; i >= firstName; i--) {
        const target = this.targets.at(i);
        const child = this.inodes[target];
        if (child?.kind === "directory") todo.push({ inode: child, ordinal: target, parent: ordinal });
      }
    }
    // Its time is known only now.
    if (this.lostAndFound === "made") this.inodes[1] = makeLostAndFound(this.newestSecond);
  }

  #addName(directory: DirectoryInode, name: ByteString): void {
    const child = directory.children.get(name);
    if (child === undefined) return;
    this.names.push(name);
    this.targets.push(this.#ordinalOf(child));
    if (child !== this.#first || this.lostAndFound === "of the tree") this.#space.addName(name, child);
  }

  #ordinalOf(inode: Inode): number {
    if (inode === this.#first) return 1;
    const isLinked = inode.kind !== "directory" && inode.linkCount > 1;
    const known = isLinked ? this.#linked.get(inode) : undefined;
    if (known !== undefined) return known;
    const ordinal = this.#push(inode);
    if (isLinked) this.#linked.set(inode, ordinal);
    return ordinal;
  }

  /** @param counts whether it is one of the tree's */
  #push(inode: Inode, counts = true): number {
    this.newestSecond = Math.min(2 ** 32 - 1, Math.max(this.newestSecond, inode.mtime.seconds));
    const ordinal = this.inodes.push(inode) - 1;
    if (counts) this.#space.addInode(inode);
    if (inode.xattrs.length > 0) this.withXattrs.push(ordinal);
    switch (inode.kind) {
      case "file":
        if (inode.content.storedBytes > 0) this.#filesOf(inode.content.layer).add(ordinal, inode);
        break;
      case "symlink":
        if (inode.target.length > maxFastLink) this.longLinks.push(ordinal);
        break;
      case "character":
      case "block":
        this.devices++;
        break;
      case "directory":
      case "fifo":
    }
    return ordinal;
  }

  #filesOf(layer: number): LayerFiles {
    while (this.filesByLayer.length <= layer) this.filesByLayer.push(new LayerFiles());
    return this.filesByLayer[layer] ?? new LayerFiles();
  }
}

function withChild(root: DirectoryInode, child: DirectoryInode): DirectoryInode {
  const children = new Map(root.children).set(lostAndFoundName, child);
  return { ...root, linkCount: root.linkCount + 1, children };
}

/** The names of a directory in the order of their bytes; a large one in slices. */
function* sorted({ children }: DirectoryInode): Sliced<readonly ByteString[]> {
  const names = [...children.keys()];
  if (names.length < slice) return names.sort();
  const order = yield* sortIndices(names.length, (a, b) => {
    const [left = "", right = ""] = [names[a], names[b]];
    return left < right ? -1 : left > right ? 1 : 0;
  });
  const out: ByteString[] = [];
  for (const index of order) {
    const name = names[index];
    if (name !== undefined) out.push(name);
  }
  return out;
}
