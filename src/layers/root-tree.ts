import type { ByteString } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import type { EntryLoss, Segment, Timestamp, Xattr } from "./layer-index.ts";

/**
 * The finished root file system, before any disk: what flatten makes of the layers, what a builder builds and
 * what verify compares with. Each inode is one object; hard links are several names of the same object.
 */
export interface RootTree {
  readonly root: DirectoryInode;
  /** Inodes, the root included; a hard-linked inode counts once. */
  readonly inodeCount: number;
  /** Stored bytes of all files, holes left out; a hard-linked file counts once. */
  readonly contentBytes: number;
  /** Entries of the layers that nothing of the tree stems from. */
  readonly hiddenEntries: number;
  readonly losses: readonly Loss[];
}

/** The layer and the entry that an inode's metadata stem from. Directories made for want of an entry name the one that needed them. */
export interface Origin {
  /** Position of the layer, from 0 and oldest first. */
  readonly layer: number;
  /** Number of the entry in it, from 1; 0 for the root where no layer has an entry for it. */
  readonly entry: number;
}

interface InodeBase {
  readonly origin: Origin;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Within what ext4 holds: 1901-12-13T20:45:52Z to 2446-05-10T22:38:55Z. */
  readonly mtime: Timestamp;
  /** Sorted by name, names unique, all of a namespace that ext4 holds. */
  readonly xattrs: readonly Xattr[];
  /** Names of the inode; for a directory 2 and one for each directory in it. */
  readonly linkCount: number;
}

/** Where a file's stored bytes are: a stretch of one layer's inflated stream. */
export interface Content {
  readonly layer: number;
  readonly offset: number;
  readonly storedBytes: number;
  /** Sparse files only. */
  readonly segments: readonly Segment[] | undefined;
  readonly sha256: Buffer;
}

export interface FileInode extends InodeBase {
  readonly kind: "file";
  readonly size: number;
  readonly content: Content;
}

export interface DirectoryInode extends InodeBase {
  readonly kind: "directory";
  /** By name; in no particular order. */
  readonly children: ReadonlyMap<ByteString, Inode>;
}

export interface SymlinkInode extends InodeBase {
  readonly kind: "symlink";
  /** 1 to 4,095 bytes. */
  readonly target: ByteString;
}

export interface DeviceInode extends InodeBase {
  readonly kind: "character" | "block";
  readonly major: number;
  readonly minor: number;
}

export interface FifoInode extends InodeBase {
  readonly kind: "fifo";
}

export type Inode = FileInode | DirectoryInode | SymlinkInode | DeviceInode | FifoInode;

export interface Loss extends EntryLoss {
  readonly layerDigest: Digest;
}

/** What a layer is called by the manifest, and what it inflates to by the config. */
export interface LayerName {
  readonly digest: Digest;
  readonly diffId: Digest;
}

/** A verified blob on disk that holds a layer. */
export interface LayerBlob extends LayerName {
  readonly path: string;
}

/** One whose index is at hand. */
export interface ScannedBlob extends LayerBlob {
  /** Of its bytes when they were scanned, as of LayerIndex: whoever inflates it again compares. */
  readonly crc32: number;
}
