import type { Digest } from "../../base/digest.ts";
import type { Compression, LayerEntry, LossKind } from "../layer-index.ts";

/**
 * The file of a cached LayerIndex:
 *
 *     magic, version        8 bytes, u32
 *     blob digest, diffID   texts: what the index is bound to
 *     records               a tag and its fields each; entries in the archive's order, losses among them, and at the
 *                           end the CRC-32 of the blob, a u32, where there is a blob
 *     footer                f64 inflated bytes, u32 entries, u32 files, u32 losses, u8 compression
 *     sha256                of all before it, 32 bytes
 *
 * Integers are little-endian, or LEB128 where they are called varint; texts and byte strings have their length
 * before them, a varint. An entry's number is not stored: it is its position.
 *
 * Any change to this, or to what scan reads out of an archive, needs a new version: an index of another version
 * is made anew.
 */
export const magic: Buffer = Buffer.from("BNGRLIDX", "latin1");
export const version = 1;
export const footerBytes = 8 + 4 + 4 + 4 + 1;
export const hashBytes = 32;

/** What an index is of. One bound to anything else is as good as none. */
export interface IndexBinding {
  readonly blobDigest: Digest;
  readonly diffId: Digest;
}

/** The tag of each record: a kind's position. Append only, or change the version. */
export const entryTags: readonly LayerEntry["kind"][] = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character",
  "block",
  "fifo",
];
export const lossTag = 0x40;
export const blobCrc32Tag = 0x41;

export const compressions: readonly Compression[] = ["none", "gzip", "zstd"];

export const lossKinds: readonly LossKind[] = [
  "XATTR_NAMESPACE",
  "XATTR_TOO_LARGE",
  "TIME_CLAMPED",
  "FILE_REPLACED_BY_PARENT",
  "AUFS_METADATA",
  "MEDIA_TYPE_DIFFERS",
];
