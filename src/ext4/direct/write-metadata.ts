import type { FileHandle } from "node:fs/promises";
import { runInSlices, type Sliced } from "../../base/slices.ts";
import { writeWhole } from "../../base/write-whole.ts";
import { BlockQueue } from "./block-queue.ts";
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

/** Links between two pauses: their blocks are to be written. */
const slice = 256;

/**
 * Writes all but the contents of files: inodes, directories, maps, bitmaps, journal, superblocks. `file` must be open
 * for writing and as long as the plan says. In writes of up to a MiB, one at a time and off this thread, with the work
 * between them in slices; the contents may be written before, after or at the same time. Once this settles, it writes
 * no more. Not durable until the caller syncs the file, which stays the caller's.
 */
export function writeMetadata(
  plan: MetadataPlan,
  file: FileHandle,
  signal: AbortSignal,
): Promise<MetadataFacts> {
  const queue = new BlockQueue();
  return runInSlices(encodeMetadata(plan, queue), signal, async () => {
    for (const { bytes, position } of queue.takeReady()) await writeWhole(file, [bytes], position);
  });
}

/** Encodes all that `writeMetadata` writes; at each pause the queue may hold something to be taken. */
export function* encodeMetadata(plan: MetadataPlan, queue: BlockQueue): Sliced<MetadataFacts> {
  const seed = checksumSeed(plan.uuid);
  writeJournalAndResizeMap(plan, queue);
  yield* writeDirectories(plan, queue, seed);
  yield* writeLongLinks(plan, queue);
  for (const [i, { bytes, sharers }] of plan.xattrs.blocks.entries()) {
    const number = itemAt(plan.xattrBlocks, i);
    const out = queue.block(number);
    bytes.copy(out);
    sealXattrBlock(out, number, sharers, seed);
    if (i % 256 === 255) yield;
  }
  yield* writeExtentTrees(plan, queue, seed);
  yield* writeInodes(plan, queue, seed);
  yield* writeGroups(plan, queue, seed);
  queue.flush();
  const { inodes, lostAndFound, devices } = plan.list;
  const counted = inodes.length - (lostAndFound === "made" ? 1 : 0);
  return { inodes: counted, devices, xattrs: plan.xattrs.count, bytes: queue.bytesQueued };
}

function writeJournalAndResizeMap(plan: MetadataPlan, queue: BlockQueue): void {
  const { list, maps, journalBlocks, layout, resizeBlock, uuid } = plan;
  encodeJournal(queue.block(maps.extentsOf(list.inodes.length).physical(0)), journalBlocks, uuid);
  encodeResizeMap(reservedDescriptors(layout), resizeBlock, (number) => queue.block(number));
}

/** The targets that have no room in their inodes: one block each, ended by a NUL (ext4_symlink, fs/ext4/namei.c). */
function* writeLongLinks({ list, maps }: MetadataPlan, queue: BlockQueue): Sliced<void> {
  for (let i = 0; i < list.longLinks.length; i++) {
    const ordinal = list.longLinks.at(i);
    const inode = list.inodes[ordinal];
    if (inode?.kind === "symlink")
      queue.block(maps.extentsOf(ordinal).physical(0)).write(inode.target, "latin1");
    if (i % slice === slice - 1) yield;
  }
}
