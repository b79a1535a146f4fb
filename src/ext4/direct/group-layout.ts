import { BangerError } from "../../base/error.ts";
import {
  blocksPerGroup,
  descriptorBlocks,
  hasBackup,
  inodesPerBlock,
  reservedDescriptorBlocks,
  type Geometry,
} from "../geometry.ts";
import type { FreeSpace } from "./free-space.ts";
import type { ReservedDescriptors } from "./resize-inode.ts";
import { logGroupsPerFlex } from "./superblock.ts";

/** Where the block groups keep what describes them: kernel Documentation/filesystems/ext4/overview.rst, "Layout". */
export interface GroupLayout {
  readonly blocks: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  /** Blocks of group descriptors, and blocks reserved for more of them, in each copy. */
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  /** First blocks of the groups with a copy of superblock and descriptors, group 0 left out; ascending. */
  readonly backups: readonly number[];
  /** By group. */
  readonly blockBitmaps: Uint32Array;
  readonly inodeBitmaps: Uint32Array;
  readonly inodeTables: Uint32Array;
}

const groupsPerFlex = 2 ** logGroupsPerFlex;

/**
 * Places superblocks, descriptors, bitmaps and inode tables, and takes their blocks out of `free`. With flex_bg, those
 * of 16 groups lie together in the first of them (blockgroup.rst, "Flexible Block Groups"), so that the other groups
 * are free from end to end, but for copies of the superblock.
 */
export function layOutGroups({ blocks, inodes }: Geometry, free: FreeSpace): GroupLayout {
  const groups = Math.ceil(blocks / blocksPerGroup);
  const tableBlocks = Math.ceil(Math.ceil(inodes / groups) / inodesPerBlock);
  const head = { used: descriptorBlocks(blocks), reserved: reservedDescriptorBlocks(blocks) };
  const backups: number[] = [];
  for (let group = 0; group < groups; group++) {
    if (!hasBackup(group)) continue;
    free.takeAt(group * blocksPerGroup, 1 + head.used + head.reserved);
    if (group > 0) backups.push(group * blocksPerGroup);
  }
  const layout: GroupLayout = {
    blocks,
    groups,
    inodesPerGroup: tableBlocks * inodesPerBlock,
    descriptorBlocks: head.used,
    reservedDescriptorBlocks: head.reserved,
    backups,
    blockBitmaps: new Uint32Array(groups),
    inodeBitmaps: new Uint32Array(groups),
    inodeTables: new Uint32Array(groups),
  };
  for (let first = 0; first < groups; first += groupsPerFlex) placeFlex(layout, first, tableBlocks, free);
  return layout;
}

function placeFlex(layout: GroupLayout, first: number, tableBlocks: number, free: FreeSpace): void {
  const end = Math.min(layout.groups, first + groupsPerFlex);
  const parts = [
    { places: layout.blockBitmaps, length: 1 },
    { places: layout.inodeBitmaps, length: 1 },
    { places: layout.inodeTables, length: tableBlocks },
  ];
  for (const { places, length } of parts) {
    for (let group = first; group < end; group++) {
      const start = free.takeTogether(length, first * blocksPerGroup);
      if (start === undefined) {
        throw new BangerError("INTERNAL", `group ${group} has no room for its own metadata`, {
          op: "plan ext4",
        });
      }
      places[group] = start;
    }
  }
}

/** Blocks of a group: all have as many, but for the last. */
export function blocksOfGroup(layout: GroupLayout, group: number): number {
  return Math.min(blocksPerGroup, layout.blocks - group * blocksPerGroup);
}

/** What the resize inode is to hold. */
export function reservedDescriptors(layout: GroupLayout): ReservedDescriptors {
  const { descriptorBlocks: used, reservedDescriptorBlocks: reserved, backups } = layout;
  return { used, reserved, backups };
}
