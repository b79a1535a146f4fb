import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import { blockBytes, chooseGeometry, type Geometry } from "../geometry.ts";
import { itemAt } from "./column.ts";
import { FileMaps } from "./file-maps.ts";
import { FreeSpace } from "./free-space.ts";
import { layOutGroups } from "./group-layout.ts";
import { listInodes, type InodeList } from "./inode-list.ts";
import { numberInodes } from "./inode-numbers.ts";
import { planContents } from "./plan-contents.ts";
import { planDirectories, type DirectoryPlans } from "./plan-directories.ts";
import { planXattrs } from "./plan-xattrs.ts";
import type { LayoutPlan, PlanInput } from "./plan.ts";

/** Ordinals between two pauses. */
const slice = 16384;

/**
 * Gives every inode its number and every block of the file system its place. Pure: the same input gives the same plan.
 *
 * On the disk, what a machine reads first comes first: each flexible group's own metadata, the journal, then all
 * directories in the order of the tree, long links, xattrs, the contents layer by layer, and the few extent trees.
 *
 * @throws BangerError SIZE_INVALID, or SIZE_TOO_SMALL with the minimum.
 */
export function* planLayout(input: PlanInput): Sliced<LayoutPlan> {
  const { tree, layerCount } = input;
  const list = yield* listInodes(tree);
  const geometry = chooseGeometry(list.needs, input.sizeBytes);
  const [uuid, hashSeed] = [parseUuid(input.uuid), parseUuid(input.hashSeed)];
  const directories = yield* planDirectories(list, hashSeed);
  const xattrs = yield* planXattrs(list);
  const free = new FreeSpace(geometry.blocks);
  const layout = layOutGroups(geometry, free);
  const numbers = numberInodes(layout, list.inodes.length);
  const journal = list.inodes.length;
  const maps = new FileMaps(journal + 1);
  const journalBlocks = placeJournal(geometry, journal, maps, free);
  const resizeBlock = free.take(1).start;
  yield* placeDirectories(list, directories, maps, free);
  for (let i = 0; i < list.longLinks.length; i++) maps.allocate(list.longLinks.at(i), 0, 1, free);
  const xattrBlocks = Uint32Array.from(xattrs.blocks, () => free.take(1).start);
  const { runsByLayer, contentBytes } = yield* planContents(list, layerCount, maps, free);
  for (let from = 0; from <= journal; from += slice) {
    maps.allocateTrees(from, Math.min(journal + 1, from + slice), free);
    yield;
  }
  const placed = { xattrBlocks, maps, journalBlocks, resizeBlock, free };
  const metadata = { layout, list, numbers, directories, xattrs, ...placed, uuid, hashSeed };
  const { sizeBytes } = geometry;
  return { sizeBytes, contentBytes, runsByLayer, metadata: { sizeBytes, ...metadata } };
}

function parseUuid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  if (bytes.length === 16) return bytes;
  throw new BangerError("INTERNAL", `${text} is not a UUID`, { op: "plan ext4" });
}

/** In one piece, wherever there is one that is large enough. */
function placeJournal({ journalMiB }: Geometry, ordinal: number, maps: FileMaps, free: FreeSpace): number {
  const blocks = (journalMiB * 1024 * 1024) / blockBytes;
  const start = free.takeTogether(blocks);
  if (start === undefined) maps.allocate(ordinal, 0, blocks, free);
  else maps.add(ordinal, 0, { start, length: blocks });
  return blocks;
}

function* placeDirectories(
  list: InodeList,
  plans: DirectoryPlans,
  maps: FileMaps,
  free: FreeSpace,
): Sliced<void> {
  for (let i = 0; i < list.directories.length; i++) {
    maps.allocate(list.directories.at(i), 0, itemAt(plans.blocks, i), free);
    if (i % slice === slice - 1) yield;
  }
}
