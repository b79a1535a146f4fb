import { createHash } from "node:crypto";
import { byteString, type ByteString } from "../../src/base/bytes.ts";
import type { Segment, Timestamp, Xattr } from "../../src/layers/layer-index.ts";
import type { DirectoryInode, FileInode, Inode, RootTree } from "../../src/layers/root-tree.ts";

/** Metadata of a described inode; what is left out is `defaults`. */
export interface Meta {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: Timestamp;
  /** By full name; strings are latin1. */
  readonly xattrs?: Readonly<Record<string, Buffer | string>>;
}

export const defaultTime: Timestamp = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

/** One inode-to-be. The same object under two names is a hard link. */
export type Described =
  | {
      readonly kind: "file";
      readonly meta: Meta;
      readonly size: number;
      readonly pieces: readonly Piece[] | Buffer;
    }
  | {
      readonly kind: "directory";
      readonly meta: Meta;
      readonly children: Readonly<Record<string, Described>>;
    }
  | { readonly kind: "symlink"; readonly meta: Meta; readonly target: string }
  | {
      readonly kind: "character" | "block";
      readonly meta: Meta;
      readonly major: number;
      readonly minor: number;
    }
  | { readonly kind: "fifo"; readonly meta: Meta };

/** Stored bytes of a sparse file. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

export function file(content: string | Buffer, meta: Meta = {}): Described {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return { kind: "file", meta, size: bytes.length, pieces: bytes };
}

export function sparse(size: number, pieces: readonly Piece[], meta: Meta = {}): Described {
  return { kind: "file", meta, size, pieces };
}

/** Names and targets are latin1: each character is a byte. */
export function dir(children: Readonly<Record<string, Described>> = {}, meta: Meta = {}): Described {
  return { kind: "directory", meta: { mode: 0o755, ...meta }, children };
}

export function link(target: string, meta: Meta = {}): Described {
  return { kind: "symlink", meta: { mode: 0o777, ...meta }, target };
}

export function device(
  kind: "character" | "block",
  major: number,
  minor: number,
  meta: Meta = {},
): Described {
  return { kind, meta, major, minor };
}

export function fifo(meta: Meta = {}): Described {
  return { kind: "fifo", meta };
}

export interface BuiltTree {
  readonly tree: RootTree;
  /** What each file stores: its whole content, or the pieces of a sparse one, one after the other. */
  readonly stored: ReadonlyMap<FileInode, Buffer>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Makes a RootTree of `dir({ etc: dir({ hosts: file("…") }) })`, link counts, hashes and totals included. */
export function buildTree(root: Described): BuiltTree {
  const builder = new Builder();
  const made = builder.inode(root);
  if (made.kind !== "directory") throw new TypeError("the root must be a directory");
  const tree: RootTree = {
    root: made,
    inodeCount: builder.inodes.size,
    contentBytes: [...builder.stored.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    hiddenEntries: 0,
    losses: [],
  };
  return { tree, stored: builder.stored };
}

class Builder {
  readonly inodes = new Map<Described, Mutable<Inode>>();
  readonly stored = new Map<FileInode, Buffer>();

  inode(described: Described): Inode {
    const known = this.inodes.get(described);
    if (known !== undefined) {
      known.linkCount++;
      return known;
    }
    const made = this.#make(described);
    this.inodes.set(described, made);
    return made;
  }

  #make(described: Described): Mutable<Inode> {
    const { meta } = described;
    const base = {
      origin: { layer: 0, entry: this.inodes.size + 1 },
      mode: meta.mode ?? 0o644,
      uid: meta.uid ?? 0,
      gid: meta.gid ?? 0,
      mtime: meta.mtime ?? defaultTime,
      xattrs: xattrsOf(meta),
      linkCount: 1,
    };
    switch (described.kind) {
      case "file":
        return this.#file(base, described.size, described.pieces);
      case "directory":
        return this.#directory(base, described.children);
      case "symlink":
        return { ...base, kind: "symlink", target: bytes(described.target) };
      case "character":
      case "block":
        return { ...base, kind: described.kind, major: described.major, minor: described.minor };
      case "fifo":
        return { ...base, kind: "fifo" };
    }
  }

  #file(
    base: Omit<FileInode, "kind" | "size" | "content">,
    size: number,
    pieces: readonly Piece[] | Buffer,
  ): FileInode {
    const stored = Buffer.isBuffer(pieces) ? pieces : Buffer.concat(pieces.map((piece) => piece.bytes));
    const segments = Buffer.isBuffer(pieces) ? undefined : pieces.map(segmentOf);
    const sha256 = createHash("sha256").update(stored).digest();
    const content = { layer: 0, offset: 512, storedBytes: stored.length, segments, sha256 };
    const inode: FileInode = { ...base, kind: "file", size, content };
    this.stored.set(inode, stored);
    return inode;
  }

  #directory(
    base: Omit<DirectoryInode, "kind" | "children">,
    described: Readonly<Record<string, Described>>,
  ): DirectoryInode {
    const children = new Map(
      Object.entries(described).map(([name, child]) => [bytes(name), this.inode(child)]),
    );
    const directories = [...children.values()].filter((child) => child.kind === "directory");
    return { ...base, kind: "directory", linkCount: 2 + directories.length, children };
  }
}

function bytes(latin1: string): ByteString {
  return byteString(Buffer.from(latin1, "latin1"));
}

function segmentOf({ offset, bytes: { length } }: Piece): Segment {
  return { offset, length };
}

function xattrsOf(meta: Meta): readonly Xattr[] {
  return Object.entries(meta.xattrs ?? {})
    .map(([name, value]) => ({
      name: bytes(name),
      value: typeof value === "string" ? Buffer.from(value, "latin1") : value,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
