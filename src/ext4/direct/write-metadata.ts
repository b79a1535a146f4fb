import type { Sliced } from "../../base/slices.ts";
import { BlockWriter } from "./block-writer.ts";
import { itemAt } from "./column.ts";
import { reservedDescriptors } from "./group-layout.ts";
import { encodeJournal } from "./journal.ts";
import type { MetadataPlan } from "./metadata-plan.ts";
import { encodeResizeMap } from "./resize-inode.ts";
import { checksumSeed } from "./superblock.ts";
import { writeDirectories } from "./write-directories.ts";
import { writeGroups } from "./write-groups.ts";
import { writeExtentTrees, writeInodes } from "./write-inodes.ts";
import { sealXattrBlock } from "./xattr.ts";

/** What the metadata pass wrote. */
export interface MetadataFacts {
  /** Of the tree; /lost+found, where it is ext4's own, is not counted. */
  readonly inodes: number;
  readonly devices: number;
  readonly xattrs: number;
  /** Bytes written, the journal's and free inodes' zeros left out. */
  readonly bytes: number;
}

/** Inodes between two pauses. */
const slice = 16384;

/**
 * Writes all but the contents of files: inodes, directories, maps, bitmaps, journal, superblocks. The file behind
 * `fd` must be open for writing and as long as the plan says. Synchronous writes, from 4 KiB to a few MiB each; the
 * contents may be written before, after or at the same time. Not durable until the caller syncs the file.
 */
export function* writeMetadata(plan: MetadataPlan, fd: number): Sliced<MetadataFacts> {
  const writer = new BlockWriter(fd);
  const seed = checksumSeed(plan.uuid);
  writeJournalAndResizeMap(plan, writer);
  yield* writeDirectories(plan, writer, seed);
  yield* writeLongLinks(plan, writer);
  for (const [i, { bytes, sharers }] of plan.xattrs.blocks.entries()) {
    const number = itemAt(plan.xattrBlocks, i);
    const out = writer.block(number);
    bytes.copy(out);
    sealXattrBlock(out, number, sharers, seed);
    if (i % 256 === 255) yield;
  }
  yield* writeExtentTrees(plan, writer, seed);
  yield* writeInodes(plan, writer, seed);
  yield* writeGroups(plan, writer, seed);
  writer.flush();
  return { ...(yield* countInodes(plan)), xattrs: plan.xattrs.count, bytes: writer.bytesWritten };
}

function writeJournalAndResizeMap(plan: MetadataPlan, writer: BlockWriter): void {
  const { list, maps, journalBlocks, layout, resizeBlock, uuid } = plan;
  encodeJournal(writer.block(maps.extentsOf(list.inodes.length).physical(0)), journalBlocks, uuid);
  encodeResizeMap(reservedDescriptors(layout), resizeBlock, (number) => writer.block(number));
}

/** The targets that have no room in their inodes: one block each, ended by a NUL (ext4_symlink, fs/ext4/namei.c). */
function* writeLongLinks({ list, maps }: MetadataPlan, writer: BlockWriter): Sliced<void> {
  for (const [ordinal, inode] of list.inodes.entries()) {
    if (ordinal % slice === slice - 1) yield;
    if (inode.kind !== "symlink" || maps.dataBlocksOf(ordinal) === 0) continue;
    writer.block(maps.extentsOf(ordinal).physical(0)).write(inode.target, "latin1");
  }
}

function* countInodes({ list }: MetadataPlan): Sliced<{ readonly inodes: number; readonly devices: number }> {
  let devices = 0;
  for (const [ordinal, { kind }] of list.inodes.entries()) {
    if (ordinal % slice === slice - 1) yield;
    if (kind === "character" || kind === "block") devices++;
  }
  return { inodes: list.inodes.length - (list.lostAndFound === "made" ? 1 : 0), devices };
}
