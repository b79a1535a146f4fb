import type { GroupLayout } from "./group-layout.ts";
import { firstInode } from "./superblock.ts";

export const rootInode = 2;

/**
 * How ordinals become inode numbers: the root is 2, the others go from 11 on (special_inodes.rst). Groups are filled in
 * order, to three quarters as long as that is enough, so that a guest's new files find an inode in the group of their
 * directory.
 */
export interface InodeNumbers {
  readonly inodesPerGroup: number;
  /** Inodes in use, the reserved ones included. */
  readonly used: number;
  /** Inodes in use in a group that is not the last one with any; they are the group's first. */
  readonly perGroup: number;
}

/** Reserved, and the root among them. */
const reserved = firstInode - 1;

export function numberInodes(layout: GroupLayout, inodeCount: number): InodeNumbers {
  const { inodesPerGroup, groups } = layout;
  const used = reserved + inodeCount - 1;
  const perGroup = Math.max(Math.ceil(used / groups), Math.floor((inodesPerGroup * 3) / 4));
  return { inodesPerGroup, used, perGroup };
}

export function inodeNumber({ inodesPerGroup, perGroup }: InodeNumbers, ordinal: number): number {
  if (ordinal === 0) return rootInode;
  const slot = reserved + ordinal - 1;
  return Math.floor(slot / perGroup) * inodesPerGroup + (slot % perGroup) + 1;
}

/** Inodes in use in a group: its first ones. */
export function usedInodes({ used, perGroup }: InodeNumbers, group: number): number {
  return Math.max(0, Math.min(perGroup, used - group * perGroup));
}

/** The ordinal of the inode at place `index` of a group; undefined for the reserved ones. */
export function ordinalAt({ perGroup }: InodeNumbers, group: number, index: number): number | undefined {
  const slot = group * perGroup + index;
  if (slot >= reserved) return slot - reserved + 1;
  return slot === rootInode - 1 ? 0 : undefined;
}

export function groupOfInode({ inodesPerGroup }: InodeNumbers, number: number): number {
  return Math.floor((number - 1) / inodesPerGroup);
}
