import type { ByteString } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";

/**
 * What one layer says, header by header and before anything is merged: the output of scan, the input of
 * flatten. It holds no file content, only where in the inflated stream that content lies and how it hashes.
 */
export interface LayerIndex {
  /** Digest of the compressed blob that was scanned. */
  readonly blobDigest: Digest;
  /** Digest of the inflated stream, verified. */
  readonly diffId: Digest;
  readonly inflatedBytes: number;
  readonly compression: Compression;
  /** CRC-32 of the blob as it was scanned; undefined where the index is of no blob, as an image's stored tree is. */
  readonly blobCrc32: number | undefined;
  /** In the archive's order. */
  readonly entries: readonly LayerEntry[];
  /** What the archive says and no RootTree can hold: found while reading headers. */
  readonly losses: readonly EntryLoss[];
}

export type Compression = "none" | "gzip" | "zstd";

/** A point in time: whole seconds since 1970, rounded down, and nanoseconds 0 to 999,999,999 after them. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Xattr {
  /** With its namespace, as `security.capability`. */
  readonly name: ByteString;
  /** As getxattr(2) would return it. */
  readonly value: Buffer;
}

/** A run of stored bytes of a sparse file: where it belongs in the file, and how long it is. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

interface EntryBase {
  /** Position in the archive, from 1; PAX and long-name headers don't count. */
  readonly number: number;
  /** As the archive has it, not cleaned; never empty. */
  readonly path: ByteString;
  /** The twelve permission bits. */
  readonly mode: number;
  /** 0 to 4,294,967,295. */
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Sorted by name, names unique. */
  readonly xattrs: readonly Xattr[];
}

export interface FileEntry extends EntryBase {
  readonly kind: "file";
  /** Apparent size in bytes, holes included. */
  readonly size: number;
  /** Where its stored bytes begin in the inflated stream. */
  readonly offset: number;
  /** How many bytes are stored: `size` unless it is sparse. */
  readonly storedBytes: number;
  /** Set on sparse files only: ascending, not overlapping, stored one after the other from `offset`. */
  readonly segments: readonly Segment[] | undefined;
  /** sha256 of the stored bytes, 32 bytes. */
  readonly sha256: Buffer;
}

export interface DirectoryEntry extends EntryBase {
  readonly kind: "directory";
}

export interface SymlinkEntry extends EntryBase {
  readonly kind: "symlink";
  readonly target: ByteString;
}

export interface HardlinkEntry extends EntryBase {
  readonly kind: "hardlink";
  /** Path of the inode to share, as the archive has it. */
  readonly target: ByteString;
}

export interface DeviceEntry extends EntryBase {
  readonly kind: "character" | "block";
  /** 0 to 4,095. */
  readonly major: number;
  /** 0 to 1,048,575. */
  readonly minor: number;
}

export interface FifoEntry extends EntryBase {
  readonly kind: "fifo";
}

export type LayerEntry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry | DeviceEntry | FifoEntry;

export type LossKind =
  /** An xattr of a namespace that the disk can't or must not hold. */
  | "XATTR_NAMESPACE"
  /** More xattrs than ext4 has room for. */
  | "XATTR_TOO_LARGE"
  /** A time outside of what ext4 can hold, moved to the nearest that it can. */
  | "TIME_CLAMPED"
  /** A file in the way of a directory that a later entry needed. */
  | "FILE_REPLACED_BY_PARENT"
  /** AUFS's own book-keeping, left out. */
  | "AUFS_METADATA"
  /** The media type names another compression than the bytes have. */
  | "MEDIA_TYPE_DIFFERS";

/** A loss of one entry of the layer at hand. */
export interface EntryLoss {
  readonly kind: LossKind;
  readonly path: ByteString;
  readonly entryNumber: number;
  /** A sentence for a person. */
  readonly detail: string;
}
