import { printable, type ByteString } from "../../base/bytes.ts";
import { shortDigest } from "../../base/digest.ts";
import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { Segment, Timestamp } from "../../layers/layer-index.ts";
import type { DirectoryInode, FileInode, Inode, LayerBlob, RootTree } from "../../layers/root-tree.ts";
import { lostAndFoundOf } from "../lost-and-found.ts";
import { Placement, type GatherPlan } from "./gather-plan.ts";
import { isEncodable } from "./script.ts";

/** Paths are relative to the staging folder; the root is the empty one. */
export interface StagedDirectory {
  readonly path: ByteString;
  readonly mode: number;
  /** Whole seconds; undefined where utimensat(2) by Node and mke2fs's 32 bits can't carry them. */
  readonly seconds: number | undefined;
}

export interface StagedFile extends StagedDirectory {
  readonly size: number;
  /** Where its bytes begin in the layer's inflated stream, and how many they are. */
  readonly offset: number;
  readonly storedBytes: number;
  readonly segments: readonly Segment[] | undefined;
}

export interface StagedSymlink {
  readonly path: ByteString;
  readonly target: ByteString;
  readonly seconds: number | undefined;
}

export interface StagedLink {
  readonly path: ByteString;
  readonly existing: ByteString;
}

/** What the staging folder holds. */
export interface StagingPlan {
  /** Parents first, the root the very first. */
  readonly directories: readonly StagedDirectory[];
  /** By layer, in the order of its stream; files of no bytes are in `emptyFiles`. */
  readonly layerFiles: ReadonlyMap<number, readonly StagedFile[]>;
  readonly emptyFiles: readonly StagedFile[];
  readonly links: readonly StagedLink[];
  readonly symlinks: readonly StagedSymlink[];
  readonly gather: GatherPlan;
}

interface Draft {
  readonly layers: readonly LayerBlob[];
  readonly directories: StagedDirectory[];
  readonly layerFiles: Map<number, StagedFile[]>;
  readonly emptyFiles: StagedFile[];
  readonly links: StagedLink[];
  readonly symlinks: StagedSymlink[];
  /** First names of hard-linked inodes. */
  readonly firstNames: Map<Inode, ByteString>;
}

/**
 * Lays the staging folder out. Devices, FIFOs and further names of symlinks are left out: an ordinary user can't
 * make the first, and mke2fs (1.47.0) copies each name of a symlink to an inode of its own. debugfs makes them
 * later, by name, so their names are checked here, before anything is written.
 *
 * @throws BangerError LAYER_UNENCODABLE for a name that debugfs can't be told.
 */
export function* planStaging(tree: RootTree, layers: readonly LayerBlob[]): Sliced<StagingPlan> {
  const draft: Draft = {
    layers,
    directories: [],
    layerFiles: new Map(),
    emptyFiles: [],
    links: [],
    symlinks: [],
    firstNames: new Map(),
  };
  // mkfs makes it before anything is copied, and merges only another directory with it.
  lostAndFoundOf(tree.root);
  let names = 0;
  const placement = new Placement(tree.root);
  for (const { path, staged, inode } of placement.names()) {
    checkXattrNames(inode, path, layers);
    if (inode.kind === "directory") {
      checkDirectory(inode, path);
      draft.directories.push({ path: staged, mode: stagedMode(inode), seconds: stagedSeconds(inode.mtime) });
    } else planName(inode, path, staged, draft);
    if (++names % 1024 === 0) yield;
  }
  const gather = placement.plan;
  const [root, ...others] = draft.directories;
  const folders = gather.folders.map((path) => ({ path, mode: 0o700, seconds: 1 }));
  const directories = root === undefined ? folders : [root, ...folders, ...others];
  for (const files of draft.layerFiles.values()) files.sort((a, b) => a.offset - b.offset);
  return { ...draft, directories, gather };
}

/** `path` is the tree's, for a person; the rest goes by where it is staged. */
function planName(
  inode: Exclude<Inode, DirectoryInode>,
  path: ByteString,
  staged: ByteString,
  draft: Draft,
): void {
  const existing = inode.linkCount > 1 ? draft.firstNames.get(inode) : undefined;
  if (inode.linkCount > 1 && existing === undefined) draft.firstNames.set(inode, staged);
  if (inode.kind === "file") {
    if (existing === undefined) planFile(inode, staged, draft);
    else draft.links.push({ path: staged, existing });
  } else if (inode.kind === "symlink" && existing === undefined) {
    draft.symlinks.push({ path: staged, target: inode.target, seconds: stagedSeconds(inode.mtime) });
  } else if (!isEncodable(path.slice(path.lastIndexOf("/") + 1))) {
    throw unencodable(inode, path, draft.layers, `a ${inode.kind} whose name has a line break or a NUL`);
  }
}

function planFile(inode: FileInode, path: ByteString, draft: Draft): void {
  const { layer, offset, storedBytes, segments } = inode.content;
  const seconds = stagedSeconds(inode.mtime);
  const file = { path, mode: stagedMode(inode), seconds, size: inode.size, offset, storedBytes, segments };
  if (storedBytes === 0) {
    draft.emptyFiles.push(file);
    return;
  }
  const files = draft.layerFiles.get(layer);
  if (files === undefined) draft.layerFiles.set(layer, [file]);
  else files.push(file);
}

/**
 * Permission bits without setuid, setgid and sticky, so that the host never has such a file; and always open to
 * the owner, so that mkfs can read and we can remove what is staged without privilege. The script mends the rest.
 */
function stagedMode(inode: DirectoryInode | FileInode): number {
  return (inode.mode & 0o777) | (inode.kind === "directory" ? 0o700 : 0o400);
}

/** Node turns negative times into the present, and mke2fs before 1.47.1 keeps 32 signed bits. */
function stagedSeconds({ seconds }: Timestamp): number | undefined {
  return seconds >= 0 && seconds < 2 ** 31 ? seconds : undefined;
}

/**
 * A tree's names are single components. Should one not be, whatever the reason, it must not choose a path on the
 * host.
 */
function checkDirectory(inode: DirectoryInode, path: ByteString): void {
  for (const name of inode.children.keys()) {
    const text: string = name;
    if (text !== "" && text !== "." && text !== ".." && !text.includes("/") && !text.includes("\0")) continue;
    throw new BangerError(
      "INTERNAL",
      `the tree has ${JSON.stringify(text)} for a name in /${printable(path)}`,
      {
        op: "plan staging",
      },
    );
  }
}

/** libext2fs stores an attribute of an unknown namespace so that e2fsck objects to the block (1.47.0). */
const namespaces = ["user.", "trusted.", "security."];
const acls: ReadonlySet<string> = new Set(["system.posix_acl_access", "system.posix_acl_default"]);

function checkXattrNames(inode: Inode, path: ByteString, layers: readonly LayerBlob[]): void {
  for (const { name } of inode.xattrs) {
    const namespace = namespaces.find((prefix) => name.startsWith(prefix) && name.length > prefix.length);
    if ((namespace === undefined && !acls.has(name)) || !isEncodable(name))
      throw unencodable(inode, path, layers, `the xattr ${printable(name)}, which debugfs can't store`);
  }
}

function unencodable(
  inode: Inode,
  path: ByteString,
  layers: readonly LayerBlob[],
  what: string,
): BangerError {
  const { layer, entry } = inode.origin;
  const digest = layers[layer]?.digest;
  const shown = printable(path);
  const where = `layer ${digest === undefined ? layer : shortDigest(digest)}, entry ${entry} (${shown})`;
  return new BangerError("LAYER_UNENCODABLE", `${where}: ${what}`, {
    op: "plan staging",
    hint: "Build with --builder direct, which needs no debugfs.",
    facts: { layer: digest ?? String(layer), entry: String(entry), name: shown },
  });
}
