import type { Place } from "./corrupt.ts";
import type { Superblock } from "./superblock.ts";

/** A run of blocks of a file. All three are in blocks. */
export interface Extent {
  /** Where it lies in the file. */
  readonly logical: number;
  /** Where it lies in the file system. */
  readonly physical: number;
  readonly length: number;
  /** Allocated, but reads as zeros whatever the blocks hold. */
  readonly unwritten: boolean;
}

/** Where maps find the blocks that they consist of. */
export interface BlockSource {
  readonly superblock: Superblock;
  /**
   * One block of metadata; not to be changed. `place` names who wants it.
   *
   * @throws BangerError FILESYSTEM_CORRUPT where it lies outside of the file system.
   */
  block(number: number, place: Place): Buffer;
}
