import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { FileInode, Inode } from "../../layers/root-tree.ts";
import { blockBytes } from "../geometry.ts";
import { numbersPerRun, type PackedRuns } from "./content-runs.ts";
import type { FileMaps } from "./file-maps.ts";
import type { FreeSpace } from "./free-space.ts";
import { sortIndices } from "./sort-indices.ts";

/** Files between two pauses. */
const slice = 1024;

export interface PlannedContents {
  readonly runsByLayer: readonly PackedRuns[];
  readonly contentBytes: number;
}

/**
 * Gives the contents of all files their blocks, in the order in which the layers have them, so that whoever inflates a
 * layer writes from one end of its stretch of the disk to the other.
 */
export function* planContents(
  inodes: readonly Inode[],
  layerCount: number,
  maps: FileMaps,
  free: FreeSpace,
): Sliced<PlannedContents> {
  const runsByLayer: PackedRuns[] = [];
  let contentBytes = 0;
  for (const files of yield* filesByLayer(inodes, layerCount)) {
    const runs = new RunList();
    const order = yield* sortIndices(files.length, (a, b) => offsetOf(files[a]) - offsetOf(files[b]));
    for (const [i, index] of order.entries()) {
      const file = files[index];
      if (file !== undefined) planFile(file, maps, free, runs);
      if (i % slice === slice - 1) yield;
    }
    runsByLayer.push(runs.packed());
    contentBytes += runs.bytes;
  }
  return { runsByLayer, contentBytes };
}

interface PlannedFile {
  readonly ordinal: number;
  readonly inode: FileInode;
}

function offsetOf(file: PlannedFile | undefined): number {
  return file?.inode.content.offset ?? 0;
}

function* filesByLayer(inodes: readonly Inode[], layerCount: number): Sliced<readonly PlannedFile[][]> {
  const layers: PlannedFile[][] = Array.from({ length: layerCount }, () => []);
  for (const [ordinal, inode] of inodes.entries()) {
    if (ordinal % slice === slice - 1) yield;
    if (inode.kind !== "file" || inode.content.storedBytes === 0) continue;
    const layer = layers[inode.content.layer];
    if (layer === undefined) {
      throw new BangerError("INTERNAL", `a file stems from layer ${inode.content.layer} of ${layerCount}`, {
        op: "plan ext4",
      });
    }
    layer.push({ ordinal, inode });
  }
  return layers;
}

function planFile({ ordinal, inode }: PlannedFile, maps: FileMaps, free: FreeSpace, runs: RunList): void {
  const { content, size } = inode;
  const segments = content.segments ?? [{ offset: 0, length: size }];
  let next = 0;
  for (const { offset, length } of segments) {
    // Two segments may have their ends in the same block.
    const first = Math.max(next, Math.floor(offset / blockBytes));
    next = Math.max(next, Math.ceil((offset + length) / blockBytes));
    if (length > 0) maps.allocate(ordinal, first, next - first, free);
  }
  const extents = maps.extentsOf(ordinal);
  let source = content.offset;
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
    this.#items.set([source, target, bytes], at);
    this.#length += numbersPerRun;
  }

  packed(): PackedRuns {
    return this.#items.slice(0, this.#length);
  }
}
