import { createHash } from "node:crypto";
import type { Sliced } from "../../base/slices.ts";
import type { Segment } from "../../layers/layer-index.ts";
import type { FileInode } from "../../layers/root-tree.ts";
import type { Ext4Image } from "../read/image.ts";
import type { Ext4Inode } from "../read/inode.ts";

/** Bytes hashed between two pauses: about a millisecond's work. */
export const contentPieceBytes = 1024 * 1024;

export interface ContentFinding {
  /** sha256 of what the image has where the tree has stored bytes. */
  readonly sha256: Buffer;
  /** Offset of a byte that is not zero where the tree has a hole, or undefined. */
  readonly filledHole: number | undefined;
  readonly bytesHashed: number;
}

/**
 * Hashes the stored bytes of a file as the image has them and looks into its holes. The sizes must be the same
 * already. `scratch` is used between pauses and is the caller's.
 */
export function* compareContent(
  image: Ext4Image,
  found: Ext4Inode,
  expected: FileInode,
  scratch: Buffer,
): Sliced<ContentFinding> {
  const stored = expected.content.segments ?? [{ offset: 0, length: expected.size }];
  const hash = createHash("sha256");
  let bytesHashed = 0;
  for (const { offset, length } of stored) {
    for (let at = offset; at < offset + length; at += scratch.length) {
      const piece = scratch.subarray(0, Math.min(scratch.length, offset + length - at));
      const count = image.readInto(found, at, piece);
      hash.update(piece.subarray(0, count));
      bytesHashed += count;
      yield;
    }
  }
  const filledHole =
    expected.content.segments === undefined ? undefined : yield* findFilled(image, found, stored, scratch);
  return { sha256: hash.digest(), filledHole, bytesHashed };
}

/** The first byte that is not zero between the segments. What is not mapped is not read: it reads as zeros. */
function* findFilled(
  image: Ext4Image,
  found: Ext4Inode,
  stored: readonly Segment[],
  scratch: Buffer,
): Sliced<number | undefined> {
  const { blockSize } = image.superblock;
  const holes = holesBetween(stored, found.size);
  let next = 0;
  for (const extent of image.extents(found)) {
    const from = extent.logical * blockSize;
    const to = Math.min(found.size, from + extent.length * blockSize);
    if (extent.unwritten) continue;
    // Both ascend, so a hole that ends before this extent is of no interest to the later ones either.
    while ((holes[next]?.to ?? Infinity) <= from) next++;
    for (let i = next; (holes[i]?.from ?? Infinity) < to; i++) {
      const start = Math.max(from, holes[i]?.from ?? from);
      const end = Math.min(to, holes[i]?.to ?? to);
      const filled = yield* firstNonZero(image, found, start, end, scratch);
      if (filled !== undefined) return filled;
    }
  }
  return undefined;
}

function* firstNonZero(
  image: Ext4Image,
  found: Ext4Inode,
  start: number,
  end: number,
  scratch: Buffer,
): Sliced<number | undefined> {
  for (let at = start; at < end; at += scratch.length) {
    const piece = scratch.subarray(0, Math.min(scratch.length, end - at));
    image.readInto(found, at, piece);
    const filled = piece.findIndex((byte) => byte !== 0);
    if (filled >= 0) return at + filled;
    yield;
  }
  return undefined;
}

function holesBetween(
  stored: readonly Segment[],
  size: number,
): { readonly from: number; readonly to: number }[] {
  const holes: { from: number; to: number }[] = [];
  let from = 0;
  for (const { offset, length } of stored) {
    if (offset > from) holes.push({ from, to: offset });
    from = offset + length;
  }
  if (size > from) holes.push({ from, to: size });
  return holes;
}
