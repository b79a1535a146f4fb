import { joinBytes, printable, utf8Bytes, type ByteString } from "../base/bytes.ts";
import type { Limits } from "../base/limits.ts";
import type { Sliced } from "../base/slices.ts";
import { cleanPath, lastName, parentPath, type CleanPath, type PathFault } from "./entry-path.ts";
import { refuse, type EntrySite, type FlattenRule } from "./flatten-rules.ts";
import { HardLinks, type LinkedName } from "./hard-links.ts";
import type {
  DirectoryEntry,
  HardlinkEntry,
  LayerEntry,
  LayerIndex,
  LossKind,
  SymlinkEntry,
  Xattr,
} from "./layer-index.ts";
import { MergeTree, type Parent } from "./merge-tree.ts";
import {
  clampTime,
  describe,
  inodeOf,
  madeDirectory,
  type MutableDirectory,
  type MutableInode,
} from "./mutable-tree.ts";
import type { Loss, Origin, RootTree } from "./root-tree.ts";
import { countTree, type LiveEntries } from "./tree-totals.ts";
import { mayMeanWhiteout, meaningOf } from "./whiteout-name.ts";
import { applyMarkers, Hidden, type Marker, type OwnNames } from "./whiteouts.ts";
import { storeXattrs } from "./xattr-room.ts";

export interface FlattenOptions {
  readonly limits: Limits;
}

/** How many entries are looked at, or path components followed, between two pauses. */
const slice = 4096;

/** The longest target that Linux takes for a symlink, PATH_MAX without its NUL. */
const maxTarget = 4095;

/** Blocks of a file are counted in 32 bits, and the last of them is no number of a block (fs/ext4/super.c, `ext4_max_size`). */
const maxFileBytes = (2 ** 32 - 1) * 4096;

const lostAndFound = utf8Bytes("lost+found");

const pathRules = {
  empty: "path-empty",
  nul: "path-nul",
  "escapes-root": "path-escapes-root",
  "name-too-long": "name-too-long",
  "path-too-long": "path-too-long",
} as const satisfies Record<PathFault, FlattenRule>;

const targetRules = {
  ...pathRules,
  empty: "link-target-empty",
  nul: "link-target-nul",
  "escapes-root": "link-escapes-root",
} as const satisfies Record<PathFault, FlattenRule>;

/** Losses of an inode's metadata: where the inode is hidden, nothing is lost. */
const ofMetadata: ReadonlySet<LossKind> = new Set(["XATTR_NAMESPACE", "XATTR_TOO_LARGE", "TIME_CLAMPED"]);

/**
 * Merges layers, oldest first, into the file system that they describe together (OCI image-spec, layer.md, "Applying
 * Changesets"). Pure: no look-up ever leaves `layers`. The tree shares times, xattrs and hashes with the indexes, and
 * is not to be changed by anyone, nor are they as long as it is in use.
 *
 * @throws BangerError LAYER_UNSAFE, LAYER_INVALID, LIMIT_PATH or LIMIT_ENTRIES, with the facts `layer`, `entry`,
 *   `name` and `rule` (a FlattenRule).
 */
export function* flatten(layers: readonly LayerIndex[], options: FlattenOptions): Sliced<RootTree> {
  const merge = new Merge(layers, options.limits);
  for (const [number, layer] of layers.entries()) yield* merge.mergeLayer(layer, number);
  return yield* merge.finish();
}

/** An entry that makes an inode of its own. */
type Described = Exclude<LayerEntry, { kind: "hardlink" }>;

interface NumberedLoss {
  readonly layer: number;
  readonly loss: Loss;
}

class Merge {
  readonly #layers: readonly LayerIndex[];
  readonly #limits: Limits;
  readonly #tree: MergeTree;
  readonly #losses: NumberedLoss[] = [];
  readonly #linked: LinkedName[] = [];
  readonly #pseudoLinks = new Map<CleanPath, MutableInode>();
  #entriesBefore = 0;

  constructor(layers: readonly LayerIndex[], limits: Limits) {
    this.#layers = layers;
    this.#limits = limits;
    this.#tree = new MergeTree(limits, (names, replaced, site) => this.#madeParent(names, replaced, site));
  }

  *mergeLayer(layer: LayerIndex, layerNumber: number): Sliced<undefined> {
    const [first] = layer.entries;
    this.#takeLosses(layer, layerNumber);
    if (first === undefined) return;
    const site: EntrySite = { layer, layerNumber, entry: first };
    this.#checkCount(site);
    const hidden = yield* this.#hideBelow(site);
    const links = new HardLinks(this.#tree, hidden, this.#pseudoLinks, (linked) => this.#linked.push(linked));
    let pauseAt = this.#tree.steps + slice;
    for (const entry of layer.entries) {
      site.entry = entry;
      this.#mergeEntry(site, links);
      if (++this.#tree.steps < pauseAt) continue;
      pauseAt = this.#tree.steps + slice;
      yield;
    }
    yield* links.settle(site);
  }

  *finish(): Sliced<RootTree> {
    const { root } = this.#tree;
    this.#checkLostAndFound(root);
    const { inodeCount, contentBytes, live } = yield* countTree(root, this.#layers, this.#linked);
    const losses = lossesOf(this.#losses, live);
    return { root, inodeCount, contentBytes, hiddenEntries: live.hidden, losses };
  }

  /** Only what is left in the end counts: e2fsck makes it a directory whenever it needs one (e2fsck/pass3.c). */
  #checkLostAndFound({ children }: MutableDirectory): void {
    const found = children.get(lostAndFound);
    if (found === undefined || found.kind === "directory") return;
    const layer = this.#layers[found.origin.layer];
    const entry = layer?.entries.find(({ number }) => number === found.origin.entry);
    if (layer !== undefined && entry !== undefined) refuse("lost-and-found-not-directory", { layer, entry });
  }

  #takeLosses(layer: LayerIndex, layerNumber: number): void {
    for (const loss of layer.losses) {
      this.#losses.push({ layer: layerNumber, loss: { ...loss, layerDigest: layer.blobDigest } });
    }
  }

  #checkCount(site: EntrySite): void {
    const { entries } = site.layer;
    const tooMany = entries[this.#limits.entries - this.#entriesBefore];
    this.#entriesBefore += entries.length;
    if (tooMany === undefined) return;
    site.entry = tooMany;
    refuse("too-many-entries", site);
  }

  /** Applies the layer's markers to the layers below, and checks every name of theirs first. */
  *#hideBelow(site: EntrySite): Sliced<Hidden> {
    const markers: Marker[] = [];
    for (const [i, entry] of site.layer.entries.entries()) {
      if (i % slice === slice - 1) yield;
      if (!mayMeanWhiteout(entry.path)) continue;
      site.entry = entry;
      const path = this.#path(entry.path, pathRules, site);
      const meaning = meaningOf(path);
      if (meaning.kind === "refused") refuse(meaning.rule, site);
      if (meaning.kind === "opaque") markers.push({ entry, parent: parentPath(path), name: undefined });
      if (meaning.kind === "whiteout") {
        markers.push({ entry, parent: parentPath(path), name: meaning.name });
      }
    }
    if (markers.length === 0) return new Hidden();
    return yield* applyMarkers(this.#tree, site.layer, markers, yield* this.#ownNames(site));
  }

  *#ownNames(site: EntrySite): Sliced<OwnNames> {
    const own = new Map<CleanPath, DirectoryEntry | SymlinkEntry>();
    for (const [i, entry] of site.layer.entries.entries()) {
      if (i % slice === slice - 1) yield;
      if (entry.kind !== "directory" && entry.kind !== "symlink") continue;
      site.entry = entry;
      own.set(this.#path(entry.path, pathRules, site), entry);
    }
    return own;
  }

  #mergeEntry(site: EntrySite, links: HardLinks): void {
    const { entry } = site;
    const path = this.#path(entry.path, pathRules, site);
    if (mayMeanWhiteout(path)) {
      const { kind } = meaningOf(path);
      if (kind === "aufs") this.#leaveOut(path, site);
      if (kind !== "plain") return;
    }
    if (path === "") {
      if (entry.kind !== "directory") refuse("root-not-directory", site);
      this.#describe(this.#tree.root, path, site);
      return;
    }
    const parent = this.#tree.makeParent(path, site);
    const name = lastName(path);
    if (entry.kind === "directory") this.#mergeDirectory(parent, name, path, site);
    else if (entry.kind === "hardlink") this.#mergeHardlink(parent, name, entry, site, links);
    else {
      this.#tree.unlink(parent.directory, name);
      this.#tree.add(parent, name, this.#newInode(entry, path, site), site);
    }
  }

  #mergeDirectory(parent: Parent, name: ByteString, path: CleanPath, site: EntrySite): void {
    const old = parent.directory.children.get(name);
    if (old?.kind === "directory") {
      this.#describe(old, path, site);
      return;
    }
    this.#tree.unlink(parent.directory, name);
    const directory = madeDirectory(originOf(site), site.entry.mtime);
    this.#describe(directory, path, site);
    this.#tree.add(parent, name, directory, site);
  }

  #mergeHardlink(
    parent: Parent,
    name: ByteString,
    entry: HardlinkEntry,
    site: EntrySite,
    links: HardLinks,
  ): void {
    const target = this.#path(entry.target, targetRules, site);
    this.#tree.unlink(parent.directory, name);
    links.link(parent, name, entry, target, site);
  }

  #newInode(entry: Described, path: CleanPath, site: EntrySite): MutableInode {
    if (entry.kind === "symlink") checkTarget(entry, site);
    if (entry.kind === "file" && entry.size > maxFileBytes) refuse("file-too-large", site);
    this.#noteClamped(path, site);
    const inode = inodeOf(entry, site.layerNumber);
    inode.xattrs = this.#storable(path, site);
    return inode;
  }

  #describe(directory: MutableDirectory, path: CleanPath, site: EntrySite): void {
    this.#noteClamped(path, site);
    describe(directory, site.entry, originOf(site));
    directory.xattrs = this.#storable(path, site);
  }

  /** The entry's xattrs, as far as ext4 has room for them. */
  #storable(path: CleanPath, site: EntrySite): readonly Xattr[] {
    const { xattrs } = site.entry;
    if (xattrs.length === 0) return xattrs;
    const { kept, dropped, malformed } = storeXattrs(xattrs);
    if (malformed !== undefined) refuse("acl-malformed", site);
    for (const { name, value } of dropped) {
      const detail = `${printable(name)} (${value.length} bytes) was left out: ext4 has one block for what doesn't fit into the inode, and that is full.`;
      this.#lose("XATTR_TOO_LARGE", path, detail, site);
    }
    return kept;
  }

  #madeParent(names: readonly ByteString[], replaced: boolean, site: EntrySite): void {
    const clamped = clampTime(site.entry.mtime) !== site.entry.mtime;
    if (!clamped && !replaced) return;
    const path = joinBytes(names, "/");
    this.#noteClamped(path, site);
    if (!replaced) return;
    const detail = `Replaced by a folder, because "${printable(site.entry.path)}" lies below it.`;
    this.#lose("FILE_REPLACED_BY_PARENT", path, detail, site);
  }

  /** AUFS's files. Those in `.wh..wh.plnk` are content under a number, and hard links lead to them. */
  #leaveOut(path: CleanPath, site: EntrySite): void {
    const { entry } = site;
    if (entry.kind !== "directory" && entry.kind !== "hardlink") {
      this.#pseudoLinks.set(path, this.#newInode(entry, path, site));
    }
    this.#lose("AUFS_METADATA", path, "A file of the AUFS that the layer was made on; no content.", site);
  }

  #noteClamped(path: CleanPath, site: EntrySite): void {
    const { mtime } = site.entry;
    const clamped = clampTime(mtime);
    if (clamped === mtime) return;
    const detail = `an ext4 can't keep the time ${mtime.seconds} s since 1970; it became ${clamped.seconds} s.`;
    this.#lose("TIME_CLAMPED", path, detail, site);
  }

  #lose(kind: LossKind, path: CleanPath, detail: string, site: EntrySite): void {
    const { layer, layerNumber, entry } = site;
    const loss = { kind, path, entryNumber: entry.number, detail, layerDigest: layer.blobDigest };
    this.#losses.push({ layer: layerNumber, loss });
  }

  #path(raw: ByteString, rules: Readonly<Record<PathFault, FlattenRule>>, site: EntrySite): CleanPath {
    const { path, fault } = cleanPath(raw, this.#limits);
    return path ?? refuse(rules[fault], site);
  }
}

function originOf(site: EntrySite): Origin {
  return { layer: site.layerNumber, entry: site.entry.number };
}

/** A symlink's target is data, and is never looked at, but Linux holds no other ones. */
function checkTarget(entry: SymlinkEntry, site: EntrySite): void {
  const { target } = entry;
  if (target.length === 0) refuse("symlink-target-empty", site);
  if (target.length > maxTarget) refuse("symlink-target-too-long", site);
  if (target.includes("\0")) refuse("symlink-target-nul", site);
}

function lossesOf(losses: readonly NumberedLoss[], live: LiveEntries): readonly Loss[] {
  return losses
    .filter(({ layer, loss }) => !ofMetadata.has(loss.kind) || live.has(layer, loss.entryNumber))
    .toSorted((a, b) => a.layer - b.layer || a.loss.entryNumber - b.loss.entryNumber)
    .map(({ loss }) => loss);
}
