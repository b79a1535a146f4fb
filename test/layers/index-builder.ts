import { createHash } from "node:crypto";
import { utf8Bytes, type ByteString } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { runThrough } from "../../src/base/slices.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type {
  EntryLoss,
  LayerEntry,
  LayerIndex,
  Segment,
  Timestamp,
  Xattr,
} from "../../src/layers/layer-index.ts";
import type { Inode, RootTree } from "../../src/layers/root-tree.ts";
import { entriesOfTree } from "../../src/layers/index-of-tree.ts";
import { everyName } from "../../src/layers/tree-walk.ts";

/** Metadata of an entry; whatever is left out is 0644 (directories 0755), 0:0, 1970. */
export interface Meta {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970, or a whole timestamp. */
  readonly mtime?: number | Timestamp;
  /** Values as text. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

type WithoutNumber<T> = T extends unknown ? Omit<T, "number"> : never;

/** An entry that has no place in an archive yet. */
export type Part = WithoutNumber<LayerEntry>;

function common(path: string, meta: Meta, mode: number) {
  const { uid = 0, gid = 0, mtime = 0, xattrs = {} } = meta;
  return {
    path: utf8Bytes(path),
    mode: meta.mode ?? mode,
    uid,
    gid,
    mtime: typeof mtime === "number" ? { seconds: mtime, nanoseconds: 0 } : mtime,
    xattrs: xattrList(xattrs),
  };
}

function xattrList(xattrs: Readonly<Record<string, string>>): Xattr[] {
  const list = Object.entries(xattrs).map(([name, value]) => ({
    name: utf8Bytes(name),
    value: Buffer.from(value),
  }));
  return list.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function file(path: string, content = "", meta: Meta = {}): Part {
  const size = Buffer.byteLength(content);
  return {
    ...common(path, meta, 0o644),
    kind: "file",
    size,
    offset: 0,
    storedBytes: size,
    segments: undefined,
    sha256: createHash("sha256").update(content).digest(),
  };
}

/** A file of that size of which only the segments are stored. */
export function sparse(path: string, size: number, segments: readonly Segment[], meta: Meta = {}): Part {
  const storedBytes = segments.reduce((sum, { length }) => sum + length, 0);
  const sha256 = createHash("sha256").update(Buffer.alloc(storedBytes)).digest();
  return { ...common(path, meta, 0o644), kind: "file", size, offset: 0, storedBytes, segments, sha256 };
}

export function dir(path: string, meta: Meta = {}): Part {
  return { ...common(path, meta, 0o755), kind: "directory" };
}

export function symlink(path: string, target: string, meta: Meta = {}): Part {
  return { ...common(path, meta, 0o777), kind: "symlink", target: utf8Bytes(target) };
}

export function hardlink(path: string, target: string, meta: Meta = {}): Part {
  return { ...common(path, meta, 0o644), kind: "hardlink", target: utf8Bytes(target) };
}

export function fifo(path: string, meta: Meta = {}): Part {
  return { ...common(path, meta, 0o644), kind: "fifo" };
}

export function device(
  path: string,
  kind: "character" | "block",
  major: number,
  minor: number,
  meta: Meta = {},
): Part {
  return { ...common(path, meta, 0o600), kind, major, minor };
}

/** The marker that hides a path of the layers below. */
export function whiteout(path: string): Part {
  const slash = path.lastIndexOf("/") + 1;
  return file(`${path.slice(0, slash)}.wh.${path.slice(slash)}`);
}

/** The marker that hides all that the layers below have in a directory. */
export function opaque(path: string): Part {
  return file(path === "" ? ".wh..wh..opq" : `${path}/.wh..wh..opq`);
}

/** Layers are told apart by this. */
let layersMade = 0;

/** A layer of those entries, numbered from 1 and stored one after the other. */
export function layer(...parts: readonly Part[]): LayerIndex {
  return layerWithLosses(parts, []);
}

export function layerWithLosses(parts: readonly Part[], losses: readonly EntryLoss[]): LayerIndex {
  let offset = 0;
  const entries: LayerEntry[] = [];
  for (const part of parts) {
    const number = entries.length + 1;
    offset += 512;
    if (part.kind === "file") {
      entries.push({ ...part, number, offset });
      offset += Math.ceil(part.storedBytes / 512) * 512;
    } else entries.push({ ...part, number });
  }
  const id = `layer ${++layersMade}`;
  return {
    blobDigest: digestOf(Buffer.from(id)),
    diffId: digestOf(Buffer.from(`${id} inflated`)),
    inflatedBytes: offset + 1024,
    compression: "gzip",
    blobCrc32: undefined,
    entries,
    losses,
  };
}

export function merge(layers: readonly LayerIndex[], limits: Partial<Limits> = {}): RootTree {
  return runThrough(flatten(layers, { limits: { ...defaultLimits, ...limits } }));
}

/** Text that was written as UTF-8, back from its bytes. */
export function textOf(bytes: ByteString): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/**
 * A tree as one line a name, for comparisons: path (a slash after a directory's), then what it is. A further name of
 * an inode says `= first name`. Origins and places in a blob are left out.
 */
export function listing(tree: RootTree): string[] {
  const first = new Map<Inode, string>();
  const lines: string[] = [];
  for (const { path, inode } of everyName(tree.root)) {
    const name = `/${textOf(path)}`;
    const known = first.get(inode);
    first.set(inode, known ?? name);
    lines.push(known === undefined ? `${name} ${inodeText(inode)}` : `${name} = ${known}`);
  }
  return lines;
}

/** The paths of a tree, the root left out; directories end in a slash. */
export function names(tree: RootTree): string[] {
  const paths: string[] = [];
  for (const { path, inode } of everyName(tree.root)) {
    if (path !== "") paths.push(textOf(path) + (inode.kind === "directory" ? "/" : ""));
  }
  return paths;
}

function inodeText(inode: Inode): string {
  const { mode, uid, gid, mtime, xattrs, linkCount } = inode;
  const time = `${mtime.seconds}.${String(mtime.nanoseconds).padStart(9, "0")}`;
  const meta = `${mode.toString(8).padStart(4, "0")} ${uid}:${gid} ${time} links=${linkCount}`;
  const attributes = xattrs.map(({ name, value }) => ` ${textOf(name)}=${value.toString("hex")}`).join("");
  return `${inode.kind} ${meta}${attributes}${dataText(inode)}`;
}

function dataText(inode: Inode): string {
  switch (inode.kind) {
    case "file":
      return ` ${inode.size} ${inode.content.sha256.toString("hex").slice(0, 16)}`;
    case "symlink":
      return ` -> ${textOf(inode.target)}`;
    case "character":
    case "block":
      return ` ${inode.major}:${inode.minor}`;
    case "directory":
    case "fifo":
      return "";
  }
}

/** A layer that merges into that very tree: each name's entry, further names of an inode as hard links. */
export function layerOf(tree: RootTree): LayerIndex {
  return layer(...entriesOfTree(tree));
}
