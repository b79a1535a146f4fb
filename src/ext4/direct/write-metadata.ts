import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { MetadataPlan } from "./metadata-plan.ts";

/** What the metadata pass wrote. */
export interface MetadataFacts {
  readonly inodes: number;
  readonly devices: number;
  readonly xattrs: number;
  /** Bytes written, the journal's and free inodes' zeros left out. */
  readonly bytes: number;
}

/**
 * Writes all but the contents of files: inodes, directories, maps, bitmaps, journal, superblocks. The file behind
 * `fd` must be open for writing and as long as the plan says. Synchronous writes, from 4 KiB to a few MiB each; the
 * contents may be written before, after or at the same time. Not durable until the caller syncs the file.
 */
// oxlint-disable-next-line require-yield -- the pass is to come
export function* writeMetadata(plan: MetadataPlan, fd: number): Sliced<MetadataFacts> {
  throw new BangerError("NOT_IMPLEMENTED", `${plan.sizeBytes} bytes can't be written to ${fd} yet`, {
    op: "write ext4 metadata",
  });
}
