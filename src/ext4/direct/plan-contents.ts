import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { Inode } from "../../layers/root-tree.ts";
import { blockBytes } from "../geometry.ts";
import { itemAt } from "./column.ts";
import { numbersPerRun, type PackedRuns } from "./content-runs.ts";
import type { FileMaps } from "./file-maps.ts";
import type { FreeSpace } from "./free-space.ts";
import type { InodeList } from "./inode-list.ts";
import { LayerFiles } from "./layer-files.ts";
import { sortByOffset } from "./sort-by-offset.ts";

/** Files between two pauses. */
const slice = 4096;

export interface PlannedContents {
  readonly runsByLayer: readonly PackedRuns[];
  readonly contentBytes: number;
}

interface PlainFile {
  readonly ordinal: number;
  /** In the layer's stream. */
  readonly offset: number;
  readonly size: number;
}

/**
 * Gives the contents of all files their blocks, in the order in which the layers have them, so that whoever inflates a
 * layer writes from one end of its stretch of the disk to the other.
 */
export function* planContents(
  { inodes, filesByLayer }: InodeList,
  layerCount: number,
  maps: FileMaps,
  free: FreeSpace,
): Sliced<PlannedContents> {
  if (filesByLayer.length > layerCount) {
    const what = `a file stems from layer ${filesByLayer.length - 1} of ${layerCount}`;
    throw new BangerError("INTERNAL", what, { op: "plan ext4" });
  }
  const runsByLayer: PackedRuns[] = [];
  let contentBytes = 0;
  for (let layer = 0; layer < layerCount; layer++) {
    const files = filesByLayer[layer] ?? new LayerFiles();
    const runs = new RunList();
    const order = yield* sortByOffset(files.offsets());
    for (let i = 0; i < order.length; i++) {
      const index = itemAt(order, i);
      const [ordinal, offset, size] = [files.ordinal(index), files.offset(index), files.size(index)];
      if (size !== undefined) planFile({ ordinal, offset, size }, maps, free, runs);
      else planSparseFile(ordinal, inodes[ordinal], maps, free, runs);
      if (i % slice === slice - 1) yield;
    }
    runsByLayer.push(runs.packed());
    contentBytes += runs.bytes;
  }
  return { runsByLayer, contentBytes };
}

function planFile(place: PlainFile, maps: FileMaps, free: FreeSpace, runs: RunList): void {
  const { ordinal, offset, size } = place;
  const blocks = Math.ceil(size / blockBytes);
  for (let done = 0; done < blocks;) {
    const run = free.take(blocks - done);
    maps.add(ordinal, done, run);
    const from = done * blockBytes;
    runs.add(offset + from, run.start * blockBytes, Math.min(run.length * blockBytes, size - from));
    done += run.length;
  }
}

function planSparseFile(
  ordinal: number,
  inode: Inode | undefined,
  maps: FileMaps,
  free: FreeSpace,
  runs: RunList,
): void {
  if (inode?.kind !== "file") return;
  const { offset: contentOffset, segments = [] } = inode.content;
  let next = 0;
  for (const { offset, length } of segments) {
    // Two segments may have their ends in the same block.
    const first = Math.max(next, Math.floor(offset / blockBytes));
    next = Math.max(next, Math.ceil((offset + length) / blockBytes));
    if (length > 0) maps.allocate(ordinal, first, next - first, free);
  }
  const extents = maps.extentsOf(ordinal);
  let source = contentOffset;
  let i = 0;
  for (const { offset, length } of segments) {
    for (let at = offset; at < offset + length;) {
      const start = extents.logical(i) * blockBytes;
      const end = start + extents.length(i) * blockBytes;
      if (at >= end) {
        i++;
        continue;
      }
      const bytes = Math.min(end, offset + length) - at;
      runs.add(source, extents.physical(i) * blockBytes + at - start, bytes);
      source += bytes;
      at += bytes;
    }
  }
}

/** Grows by doubling; neighbours on both sides become one. */
class RunList {
  #items: PackedRuns = new Float64Array(256 * numbersPerRun);
  #length = 0;
  bytes = 0;

  add(source: number, target: number, bytes: number): void {
    const at = this.#length;
    const last = at - numbersPerRun;
    const lastEnd = at === 0 ? 0 : (this.#items[last] ?? 0) + (this.#items[last + 2] ?? 0);
    if (source < lastEnd) {
      throw new BangerError("INTERNAL", `two files share byte ${source} of a layer`, { op: "plan ext4" });
    }
    this.bytes += bytes;
    if (
      at > 0 &&
      source === lastEnd &&
      target === (this.#items[last + 1] ?? 0) + (this.#items[last + 2] ?? 0)
    ) {
      this.#items[last + 2] = (this.#items[last + 2] ?? 0) + bytes;
      return;
    }
    if (at === this.#items.length) {
      const grown = new Float64Array(this.#items.length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[at] = source;
    this.#items[at + 1] = target;
    this.#items[at + 2] = bytes;
    this.#length += numbersPerRun;
  }

  packed(): PackedRuns {
    return this.#items.slice(0, this.#length);
  }
}
