import { join } from "node:path";
import { algorithmOf, hexOf, type Digest } from "../base/digest.ts";

/** A cache folder's own folders. Everything in `oci/` can be had again. */
export interface CacheFolders {
  /** Verified, read-only. */
  readonly blobs: string;
  /** Downloads under way or broken off. */
  readonly ingest: string;
  /** Layer indexes, by the digest of the layer. */
  readonly indexes: string;
  /** What is being removed. */
  readonly trash: string;
}

export function cacheFolders(cacheDir: string): CacheFolders {
  const oci = join(cacheDir, "oci");
  return {
    blobs: join(oci, "blobs"),
    ingest: join(oci, "ingest"),
    indexes: join(oci, "indexes"),
    trash: join(oci, "trash"),
  };
}

/** `<folder>/sha256/<hex>`, as OCI image layouts have it. A digest's parts are safe in a path. */
export function digestPath(folder: string, digest: Digest): string {
  return join(folder, algorithmOf(digest), hexOf(digest));
}

/** Name of a blob's download in the ingest folder, to which its owner adds a suffix. */
export function ingestName(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest)}`;
}
