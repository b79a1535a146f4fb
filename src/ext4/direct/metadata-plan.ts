import type { FileMaps } from "./file-maps.ts";
import type { FreeSpace } from "./free-space.ts";
import type { GroupLayout } from "./group-layout.ts";
import type { InodeList } from "./inode-list.ts";
import type { InodeNumbers } from "./inode-numbers.ts";
import type { DirectoryPlans } from "./plan-directories.ts";
import type { XattrPlan } from "./plan-xattrs.ts";

/** What the metadata pass writes, and where. */
export interface MetadataPlan {
  readonly sizeBytes: number;
  readonly layout: GroupLayout;
  readonly list: InodeList;
  readonly numbers: InodeNumbers;
  readonly directories: DirectoryPlans;
  readonly xattrs: XattrPlan;
  /** By position in `xattrs.blocks`: its block on the disk. */
  readonly xattrBlocks: Uint32Array;
  /** The blocks of every inode, by ordinal, and those of the journal, whose ordinal follows the last. */
  readonly maps: FileMaps;
  readonly journalBlocks: number;
  /** The resize inode's one block that is not a reserved descriptor. */
  readonly resizeBlock: number;
  /** What is left. */
  readonly free: FreeSpace;
  /** 16 bytes each. */
  readonly uuid: Buffer;
  readonly hashSeed: Buffer;
}
