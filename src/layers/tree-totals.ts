import type { ByteString } from "../base/bytes.ts";
import type { Sliced } from "../base/slices.ts";
import { refuse } from "./flatten-rules.ts";
import type { LinkedName } from "./hard-links.ts";
import type { LayerIndex } from "./layer-index.ts";
import type { MutableDirectory } from "./mutable-tree.ts";
import type { Origin } from "./root-tree.ts";

/** The most names that ext4 can count for an inode (kernel: fs/ext4/ext4.h, EXT4_LINK_MAX). */
const maxNames = 65_000;

/** How many inodes are counted between two pauses. */
const slice = 4096;

/** The entries that something of the tree stems from. */
export class LiveEntries {
  readonly #layers: readonly Uint8Array[];
  readonly #total: number;
  #live = 0;

  constructor(layers: readonly LayerIndex[]) {
    this.#layers = layers.map((layer) => new Uint8Array(layer.entries.length + 1));
    this.#total = layers.reduce((sum, layer) => sum + layer.entries.length, 0);
  }

  add(origin: Origin): void {
    // Entry 0 is none: that of a root without an entry.
    if (origin.entry === 0 || this.has(origin.layer, origin.entry)) return;
    const flags = this.#layers[origin.layer];
    if (flags === undefined || origin.entry >= flags.length) return;
    flags[origin.entry] = 1;
    this.#live++;
  }

  has(layer: number, entry: number): boolean {
    return this.#layers[layer]?.[entry] === 1;
  }

  get hidden(): number {
    return this.#total - this.#live;
  }
}

export interface Totals {
  readonly inodeCount: number;
  readonly contentBytes: number;
  readonly live: LiveEntries;
}

/** Counts a merged tree, once, and sets every `linkCount`, which are all 0 before. */
export function* countTree(
  root: MutableDirectory,
  layers: readonly LayerIndex[],
  linked: readonly LinkedName[],
): Sliced<Totals> {
  const live = new LiveEntries(layers);
  let inodeCount = 0;
  let contentBytes = 0;
  let sincePause = 0;
  const todo: MutableDirectory[] = [root];
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    directory.linkCount += 2;
    inodeCount++;
    live.add(directory.origin);
    for (const child of directory.children.values()) {
      if (child.kind === "directory") {
        directory.linkCount++;
        todo.push(child);
      } else {
        if (child.linkCount === 0) {
          inodeCount++;
          live.add(child.origin);
          if (child.kind === "file") contentBytes += child.content.storedBytes;
        }
        child.linkCount++;
      }
    }
    sincePause += directory.children.size + 1;
    if (sincePause < slice) continue;
    sincePause = 0;
    yield;
  }
  checkNames(layers, linked);
  yield* addLinkedNames(live, linked);
  return { inodeCount, contentBytes, live };
}

function checkNames(layers: readonly LayerIndex[], linked: readonly LinkedName[]): void {
  const tooMany = linked.findLast(({ inode }) => inode.kind !== "directory" && inode.linkCount > maxNames);
  const layer = tooMany === undefined ? undefined : layers[tooMany.layerNumber];
  if (tooMany !== undefined && layer !== undefined) refuse("too-many-links", { layer, entry: tooMany.entry });
}

/** A hard link's entry is no inode's origin: it is alive as long as the name is that it gave. */
function* addLinkedNames(live: LiveEntries, linked: readonly LinkedName[]): Sliced<undefined> {
  const last = new Map<MutableDirectory, Map<ByteString, LinkedName>>();
  for (const [i, link] of linked.entries()) {
    if (i % slice === slice - 1) yield;
    const { directory, name, inode } = link;
    if (directory.linkCount === 0 || directory.children.get(name) !== inode) continue;
    const names = last.get(directory);
    if (names === undefined) last.set(directory, new Map([[name, link]]));
    else names.set(name, link);
  }
  for (const names of last.values()) {
    for (const { layerNumber, entry } of names.values()) {
      live.add({ layer: layerNumber, entry: entry.number });
    }
  }
}
