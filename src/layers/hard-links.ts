import type { ByteString } from "../base/bytes.ts";
import type { Sliced } from "../base/slices.ts";
import { lastName, parentPath, type CleanPath } from "./entry-path.ts";
import { refuse, type EntrySite } from "./flatten-rules.ts";
import type { HardlinkEntry } from "./layer-index.ts";
import type { MergeTree, Parent } from "./merge-tree.ts";
import { inodeOf, type MutableDirectory, type MutableInode } from "./mutable-tree.ts";
import type { Hidden } from "./whiteouts.ts";

/** How many links are settled between two pauses. */
const slice = 4096;

/** A name that a hard link's entry gave to an inode. */
export interface LinkedName {
  readonly directory: MutableDirectory;
  readonly name: ByteString;
  readonly inode: MutableInode;
  readonly layerNumber: number;
  readonly entry: HardlinkEntry;
}

/** A hard link whose target is not there yet. */
interface Waiting {
  readonly parent: Parent;
  readonly name: ByteString;
  readonly entry: HardlinkEntry;
  readonly target: CleanPath;
  /** Holds the name's place, so that entries after this one replace it as they would the link. */
  readonly standIn: MutableInode;
  state: "waiting" | "followed" | "settled";
}

/** What AUFS had in `.wh..wh.plnk`, by clean path: no part of the tree, but hard links go there. */
export type PseudoLinks = ReadonlyMap<CleanPath, MutableInode>;

/**
 * The hard links of one layer. A target is looked up where its entry stands: in the tree so far, then in what this
 * layer's markers hide of the layers below, and what is still missing then at the layer's end.
 */
export class HardLinks {
  readonly #tree: MergeTree;
  readonly #hidden: Hidden;
  readonly #pseudoLinks: PseudoLinks;
  readonly #onLinked: (linked: LinkedName) => void;
  readonly #waiting = new Map<MutableInode, Waiting>();

  constructor(
    tree: MergeTree,
    hidden: Hidden,
    pseudoLinks: PseudoLinks,
    onLinked: (linked: LinkedName) => void,
  ) {
    this.#tree = tree;
    this.#hidden = hidden;
    this.#pseudoLinks = pseudoLinks;
    this.#onLinked = onLinked;
  }

  /** Gives the target's inode the name, which must be free; or keeps its place until the layer's end. */
  link(parent: Parent, name: ByteString, entry: HardlinkEntry, target: CleanPath, site: EntrySite): void {
    const found = this.#find(target, site, parent.directory, name) ?? this.#findHidden(target, site);
    if (found?.kind === "directory") refuse("link-target-directory", site);
    if (found !== undefined && !this.#waiting.has(found)) {
      this.#tree.add(parent, name, found, site);
      this.#linked(parent.directory, name, found, entry, site);
      return;
    }
    const standIn = inodeOf({ ...entry, kind: "fifo" }, site.layerNumber);
    this.#tree.add(parent, name, standIn, site);
    this.#waiting.set(standIn, { parent, name, entry, target, standIn, state: "waiting" });
  }

  /** Resolves what had to wait. Call once, after the layer's last entry; `site` is moved. */
  *settle(site: EntrySite): Sliced<undefined> {
    let settled = 0;
    for (const first of this.#waiting.values()) {
      if (first.state !== "settled") this.#settleChain(first, site);
      if (++settled % slice === 0) yield;
    }
  }

  /** Follows links to links until one goes to an inode, without recursion: a layer may have a million in a row. */
  #settleChain(first: Waiting, site: EntrySite): void {
    const chain: Waiting[] = [];
    let inode: MutableInode | undefined;
    for (let link: Waiting | undefined = first; link !== undefined;) {
      if (link.state === "followed") refuse("link-cycle", site);
      link.state = "followed";
      chain.push(link);
      site.entry = link.entry;
      const { directory } = link.parent;
      inode = this.#find(link.target, site, directory, link.name);
      if (inode === undefined) refuse("link-target-missing", site);
      if (inode.kind === "directory") refuse("link-target-directory", site);
      link = this.#waiting.get(inode);
    }
    if (inode === undefined) return;
    for (const link of chain) {
      link.state = "settled";
      const { directory } = link.parent;
      // A later entry may have taken the name, or its whole directory.
      if (directory.children.get(link.name) !== link.standIn) continue;
      directory.children.set(link.name, inode);
      this.#linked(directory, link.name, inode, link.entry, site);
    }
  }

  /** What the target's path leads to, its last component not followed. */
  #find(
    target: CleanPath,
    site: EntrySite,
    ownDirectory: MutableDirectory,
    ownName: ByteString,
  ): MutableInode | undefined {
    const pseudoLink = this.#pseudoLinks.get(target);
    if (pseudoLink !== undefined) return pseudoLink;
    if (target === "") return this.#tree.root;
    const name = lastName(target);
    const directory = this.#tree.findParent(target, site)?.directory;
    if (directory === ownDirectory && name === ownName) refuse("link-to-itself", site);
    return directory?.children.get(name);
  }

  #findHidden(target: CleanPath, site: EntrySite): MutableInode | undefined {
    if (this.#hidden.isEmpty) return undefined;
    const { directory, missing } = this.#tree.walk(parentPath(target), site, this.#hidden.lookUp);
    return missing.length > 0 ? undefined : this.#hidden.lookUp(directory, lastName(target), [], 0);
  }

  #linked(
    directory: MutableDirectory,
    name: ByteString,
    inode: MutableInode,
    entry: HardlinkEntry,
    site: EntrySite,
  ): void {
    this.#onLinked({ directory, name, inode, layerNumber: site.layerNumber, entry });
  }
}
