import type { Sliced } from "../../base/slices.ts";
import type { BlockQueue } from "./block-queue.ts";
import { itemAt } from "./column.ts";
import { DirectoryBlock, fileTypes } from "./directory-block.ts";
import { encodeHashTree } from "./hash-tree.ts";
import { inodeSeed } from "./inode.ts";
import type { InodeList } from "./inode-list.ts";
import { inodeNumber } from "./inode-numbers.ts";
import type { MetadataPlan } from "./metadata-plan.ts";
import { namesOf, type LargeDirectory } from "./plan-directories.ts";

/** Names between two pauses. */
const slice = 1024;

/** One directory in the making. */
interface Site {
  readonly plan: MetadataPlan;
  readonly number: number;
  readonly parent: number;
  /** Its first name's place in the list. */
  readonly firstName: number;
  readonly endName: number;
  /** An empty block that is to be that block of the directory. */
  readonly block: (logical: number) => Buffer;
  readonly seed: number;
}

/** Writes the blocks of all directories. */
export function* writeDirectories(plan: MetadataPlan, queue: BlockQueue, seed: number): Sliced<void> {
  const { list, numbers, directories, maps } = plan;
  let sincePause = 0;
  for (let i = 0; i < list.directories.length; i++) {
    const ordinal = list.directories.at(i);
    const number = inodeNumber(numbers, ordinal);
    const [firstName, endName] = namesOf(list, i);
    const place = placesOf(plan, ordinal);
    const site: Site = {
      plan,
      number,
      parent: inodeNumber(numbers, list.parents.at(i)),
      firstName,
      endName,
      block: (logical) => queue.block(place(logical)),
      seed: inodeSeed(seed, number),
    };
    const large = directories.large.get(i);
    if (large === undefined) writeSmall(site, maps.blocksOf(ordinal));
    else yield* writeLarge(site, large);
    sincePause += 1 + endName - firstName;
    if (sincePause < slice) continue;
    sincePause = 0;
    yield;
  }
}

/** Finds blocks of a directory on the disk; asked in ascending order, mostly. */
function placesOf({ maps }: MetadataPlan, ordinal: number): (logical: number) => number {
  const extents = maps.extentsOf(ordinal);
  return (logical) => {
    let i = 0;
    while (extents.logical(i) + extents.length(i) <= logical) i++;
    return extents.physical(i) + logical - extents.logical(i);
  };
}

function addDots(block: DirectoryBlock, site: Site): void {
  block.add(".", site.number, fileTypes.directory);
  block.add("..", site.parent, fileTypes.directory);
}

function addName({ list, numbers }: MetadataPlan, block: DirectoryBlock, name: number): void {
  const ordinal = list.targets.at(name);
  block.add(list.names[name] ?? "", inodeNumber(numbers, ordinal), fileTypeOf(list, ordinal));
}

function fileTypeOf({ inodes }: InodeList, ordinal: number): number {
  const inode = inodes[ordinal];
  return inode === undefined ? 0 : fileTypes[inode.kind];
}

/** All names in the first block; others, as of /lost+found, are empty. */
function writeSmall(site: Site, blocks: number): void {
  const first = new DirectoryBlock(site.block(0));
  addDots(first, site);
  for (let name = site.firstName; name < site.endName; name++) addName(site.plan, first, name);
  first.finish(site.seed);
  for (let i = 1; i < blocks; i++) new DirectoryBlock(site.block(i)).finish(site.seed);
}

function* writeLarge(site: Site, { order, starts, leafHashes }: LargeDirectory): Sliced<void> {
  const { number, parent, seed } = site;
  const base = leafHashes === undefined ? 0 : 1;
  for (const [i, start] of starts.entries()) {
    const block = new DirectoryBlock(site.block(base + i));
    if (base + i === 0) addDots(block, site);
    const end = starts[i + 1] ?? order.length;
    for (let at = start; at < end; at++) addName(site.plan, block, site.firstName + itemAt(order, at));
    block.finish(seed);
    yield;
  }
  if (leafHashes !== undefined) encodeHashTree({ directory: number, parent, leafHashes }, site.block, seed);
}
