import { BangerError } from "../base/error.ts";

/** One size for all: the kernel maps pages to blocks most cheaply at its page size, and every image has few tiny files. */
export const blockBytes = 4096;
export const inodeBytes = 256;

const MiB = 1024 * 1024;
const blocksPerMiB = MiB / blockBytes;
/** As many as one bitmap block has bits; the same bound holds for the inodes of a group. */
export const blocksPerGroup = 8 * blockBytes;
const inodesPerGroup = 8 * blockBytes;
export const inodesPerBlock = blockBytes / inodeBytes;
/** 64-byte descriptors, because of the feature `64bit`. */
const descriptorsPerBlock = blockBytes / 64;
/** Inodes 1 to 10 are reserved, 11 is /lost+found. */
const reservedInodes = 11;
/** `resize_inode` reaches no further than 2^32 blocks. */
const maxBlocks = 2 ** 32 - 1;

/** What a tree takes up in blocks and inodes, whatever the size of the file system around it. Never too little. */
export interface SpaceNeeds {
  readonly blocks: number;
  readonly inodes: number;
}

export interface Geometry {
  readonly sizeBytes: number;
  readonly blocks: number;
  /** To ask for; mke2fs rounds it up to whole blocks of the inode tables. */
  readonly inodes: number;
  readonly journalMiB: number;
}

/**
 * Chooses the size, or checks the size asked for. Without one, there is room for a machine to run in: a fifth of
 * what is used, as a file system close to full fragments, and at least 64 MiB for logs, package lists and what
 * an agent writes. The file is sparse, so free space costs nothing on the host.
 *
 * @throws BangerError SIZE_INVALID, or SIZE_TOO_SMALL with the minimum.
 */
export function chooseGeometry(needs: SpaceNeeds, sizeBytes: number | undefined): Geometry {
  if (sizeBytes !== undefined) return fitted(needs, sizeBytes);
  const free = Math.max(64 * blocksPerMiB, Math.ceil(needs.blocks / 5));
  return smallest(needs, free, roomyLayout);
}

function fitted(needs: SpaceNeeds, sizeBytes: number): Geometry {
  const blocks = Math.floor(sizeBytes / blockBytes);
  if (!Number.isSafeInteger(sizeBytes) || blocks < 1 || blocks > maxBlocks) {
    const detail = `${sizeBytes} is not a size in bytes from ${blockBytes} to ${maxBlocks * blockBytes}`;
    throw new BangerError("SIZE_INVALID", detail, {
      op: "size file system",
      hint: "Give a whole number of bytes, or a size like 4G.",
      fields: [{ field: "size_bytes", description: detail }],
    });
  }
  for (const layout of [roomyLayout, tightLayout]) {
    const geometry = layout(needs, blocks);
    if (fits(needs, 0, geometry)) return geometry;
  }
  const minimum = smallest(needs, 0, tightLayout).sizeBytes;
  const detail = `${sizeBytes} bytes can't hold the image: it needs at least ${minimum} (${minimum / MiB} MiB)`;
  throw new BangerError("SIZE_TOO_SMALL", detail, {
    op: "size file system",
    hint: `Ask for ${minimum / MiB}M or more, or leave the size out.`,
    fields: [{ field: "size_bytes", description: detail }],
    facts: { minimumBytes: String(minimum), sizeBytes: String(sizeBytes) },
  });
}

type Layout = (needs: SpaceNeeds, blocks: number) => Geometry;

/** For a system to live in: inodes for later files, one for 16 KiB as mke2fs has it, and mke2fs's journal sizes. */
function roomyLayout(needs: SpaceNeeds, blocks: number): Geometry {
  const later = Math.max(needs.inodes + 1024, Math.ceil(needs.inodes * 1.25));
  const ratio = Math.floor((blocks * blockBytes) / 16_384);
  return layoutOf(blocks, Math.max(later + reservedInodes, ratio), journalFor(blocks));
}

/** For a size that somebody insists on: the least that works, with a few inodes for what is injected. */
function tightLayout(needs: SpaceNeeds, blocks: number): Geometry {
  return layoutOf(blocks, needs.inodes + reservedInodes + 64, 4);
}

/** In MiB, by the table of mke2fs (`ext2fs_default_journal_size`), which it follows up to 16 GiB. */
function journalFor(blocks: number): number {
  if (blocks < 128 * blocksPerMiB) return 4;
  if (blocks < 1024 * blocksPerMiB) return 16;
  if (blocks < 2048 * blocksPerMiB) return 32;
  return 64;
}

/** Leaves out what mke2fs would not use either: a last group too small for its own metadata and 50 blocks. */
function layoutOf(blocks: number, inodes: number, journalMiB: number): Geometry {
  const groups = Math.ceil(blocks / blocksPerGroup);
  const rest = blocks % blocksPerGroup;
  const metadata = groupMetadata(inodes, groups) + (hasBackup(groups - 1) ? backupBlocks(blocks) : 0);
  const kept = groups > 1 && rest > 0 && rest < metadata + 50 ? blocks - rest : blocks;
  return { sizeBytes: kept * blockBytes, blocks: kept, inodes, journalMiB };
}

function smallest(needs: SpaceNeeds, free: number, layout: Layout): Geometry {
  const groups = Math.ceil((needs.inodes + reservedInodes) / (inodesPerGroup - inodesPerBlock));
  let blocks = roundToMiB(Math.max(needs.blocks + free, (groups - 1) * blocksPerGroup));
  for (;;) {
    const geometry = layout(needs, blocks);
    if (fits(needs, free, geometry)) return geometry;
    if (blocks > maxBlocks) {
      throw new BangerError("SIZE_TOO_SMALL", "the image needs more than ext4 can hold", {
        op: "size file system",
      });
    }
    blocks = Math.max(blocks + blocksPerMiB, roundToMiB(usedBlocks(needs, geometry) + free));
  }
}

function roundToMiB(blocks: number): number {
  return Math.ceil(blocks / blocksPerMiB) * blocksPerMiB;
}

function fits(needs: SpaceNeeds, free: number, geometry: Geometry): boolean {
  const groups = Math.ceil(geometry.blocks / blocksPerGroup);
  return (
    geometry.inodes <= groups * (inodesPerGroup - inodesPerBlock) &&
    usedBlocks(needs, geometry) + free <= geometry.blocks
  );
}

/** All that the tree and the file system's own metadata take. */
function usedBlocks(needs: SpaceNeeds, geometry: Geometry): number {
  return needs.blocks + metadataBlocks(geometry);
}

/**
 * Superblocks, descriptors, bitmaps, inode tables, journal, resize inode and lost+found, as
 * `ext2fs_initialize` of libext2fs lays them out. Exported for the tests, which hold it against mke2fs.
 */
export function metadataBlocks({ blocks, inodes, journalMiB }: Geometry): number {
  const groups = Math.ceil(blocks / blocksPerGroup);
  let total = groups * groupMetadata(inodes, groups);
  for (let group = 0; group < groups; group++) if (hasBackup(group)) total += backupBlocks(blocks);
  // The journal's extents and the resize inode's map take a few blocks more; lost+found is made with four.
  const journal = journalMiB * blocksPerMiB + extentBlocks(journalMiB * blocksPerMiB, 1);
  return total + journal + 4 + 2;
}

function groupMetadata(inodes: number, groups: number): number {
  return 2 + Math.ceil(Math.ceil(inodes / groups) / inodesPerBlock);
}

/** Superblock, descriptors and reserved descriptors. */
function backupBlocks(blocks: number): number {
  return 1 + descriptorBlocks(blocks) + reservedDescriptorBlocks(blocks);
}

/** Blocks of group descriptors in each copy. */
export function descriptorBlocks(blocks: number): number {
  return Math.ceil(Math.ceil(blocks / blocksPerGroup) / descriptorsPerBlock);
}

/** Blocks after them for growing 1,024 times (`calc_reserved_gdt_blocks`), as many as one block can name. */
export function reservedDescriptorBlocks(blocks: number): number {
  const grown = blocks < maxBlocks / 1024 ? blocks * 1024 : maxBlocks;
  const all = Math.ceil(Math.ceil(grown / blocksPerGroup) / descriptorsPerBlock);
  return Math.min(blockBytes / 4, Math.max(0, all - descriptorBlocks(blocks)));
}

/** With `sparse_super`: groups 0 and 1 and the powers of 3, 5 and 7. */
export function hasBackup(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/**
 * Blocks of a file's extent tree. Group metadata may split a run wherever it crosses into another group, so three
 * pieces a group are allowed for; four extents stay in the inode, and a leaf holds 340 but may be half full.
 * Runs of zeros that mke2fs leaves out split a file too, and each saves more than it costs.
 */
export function extentBlocks(data: number, runs: number): number {
  const extents = runs + 3 * Math.ceil(data / blocksPerGroup);
  if (extents <= 4) return 0;
  let blocks = 0;
  for (let level = Math.ceil(extents / 170); ; level = Math.ceil(level / 170)) {
    blocks += level;
    if (level <= 4) return blocks;
  }
}
