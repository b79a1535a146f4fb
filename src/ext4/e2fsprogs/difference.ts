import { joinBytes, printable, type ByteString } from "../../base/bytes.ts";
import type { Sliced } from "../../base/slices.ts";
import type { Timestamp, Xattr } from "../../layers/layer-index.ts";
import type {
  DeviceInode,
  DirectoryInode,
  FifoInode,
  Inode,
  RootTree,
  SymlinkInode,
} from "../../layers/root-tree.ts";
import { rootInode, type Ext4Image } from "../read/image.ts";
import type { Ext4Inode } from "../read/inode.ts";
import type { Command } from "./debugfs.ts";
import { removeXattr, setField, setTime, setXattr, type Field, type TimeField } from "./script.ts";

/** Where something is in the tree; the root has no parent. */
export interface Place {
  readonly parent: Place | undefined;
  readonly name: ByteString;
}

export function shownPath(place: Place): string {
  const names: string[] = [];
  for (let at: Place | undefined = place; at?.parent !== undefined; at = at.parent)
    names.push(printable(at.name));
  return `/${names.toReversed().join("/")}`;
}

/** A name that mkfs did not make, because it can't: debugfs has to. */
export interface MissingName {
  /** Number of the directory that it belongs into. */
  readonly directory: number;
  readonly inode: SymlinkInode | DeviceInode | FifoInode;
  readonly place: Place;
}

/** How the image differs from the tree. */
export interface Difference {
  readonly missing: readonly MissingName[];
  /** What brings owner, mode, times, links, device numbers and xattrs to what the tree says. */
  readonly commands: readonly Command[];
  /** What no command mends: names, kinds, sizes, targets. Sentences for a person. */
  readonly faults: readonly string[];
  /** Numbers of the inodes that several names share. */
  readonly shared: ReadonlyMap<Inode, number>;
}

/** Says which file holds an xattr's value for debugfs to read. */
export type ValueFile = (value: Buffer) => string;

/** S_IFMT of each kind (stat.h): `sif mode` replaces the type bits too. */
const typeBits = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
} as const;

/** Faults are for a person, who needs the first few. */
const maxFaults = 20;

/** Walks tree and image together. The contents of files are not read. */
export function* compareImage(tree: RootTree, image: Ext4Image, valueFile: ValueFile): Sliced<Difference> {
  const comparison = new Comparison(image, valueFile);
  comparison.add(tree.root, rootInode, { parent: undefined, name: joinBytes([]) });
  let steps = 0;
  for (let next = comparison.pending.pop(); next !== undefined; next = comparison.pending.pop()) {
    for (const _ of comparison.directory(next)) if (++steps % 256 === 0) yield;
  }
  return comparison;
}

interface PairedDirectory {
  readonly inode: DirectoryInode;
  readonly disk: Ext4Inode;
  readonly place: Place;
}

class Comparison implements Difference {
  readonly missing: MissingName[] = [];
  readonly commands: Command[] = [];
  readonly faults: string[] = [];
  readonly shared = new Map<Inode, number>();
  readonly pending: PairedDirectory[] = [];
  readonly #image: Ext4Image;
  readonly #valueFile: ValueFile;
  /** What each inode of the disk was paired with. */
  readonly #paired = new Map<number, Inode>();

  constructor(image: Ext4Image, valueFile: ValueFile) {
    this.#image = image;
    this.#valueFile = valueFile;
  }

  /** Compares the names of a directory, and what they lead to. */
  *directory({ inode, disk, place }: PairedDirectory): Generator<undefined, void, undefined> {
    const onDisk = new Map<ByteString, number>();
    for (const { name, inode: number } of this.#image.entries(disk)) onDisk.set(name, number);
    for (const [name, child] of inode.children) {
      const number = onDisk.get(name);
      const at: Place = { parent: place, name };
      onDisk.delete(name);
      if (number !== undefined) this.add(child, number, at);
      else if (child.kind === "directory" || child.kind === "file") this.#fault(at, "is missing");
      else if (child.kind === "symlink" && child.linkCount === 1) this.#fault(at, "is missing");
      else this.missing.push({ directory: disk.number, inode: child, place: at });
      yield;
    }
    for (const name of onDisk.keys()) {
      if (!isMkfsOwn(name, disk)) this.#fault({ parent: place, name }, "does not belong there");
    }
  }

  add(inode: Inode, number: number, place: Place): void {
    const before = this.#paired.get(number);
    if (before === inode) return;
    if (before !== undefined || this.shared.has(inode))
      return this.#fault(place, "is linked to another inode");
    this.#paired.set(number, inode);
    if (inode.kind !== "directory" && inode.linkCount > 1) this.shared.set(inode, number);
    const disk = this.#image.inode(number);
    if (disk.kind !== inode.kind) return this.#fault(place, `is a ${disk.kind}, not a ${inode.kind}`);
    this.#compareContent(inode, disk, place);
    this.#compareFields(inode, disk, place);
    this.#compareTimes(inode, disk, place);
    this.#compareXattrs(inode, disk, place);
    if (inode.kind === "directory") this.pending.push({ inode, disk, place });
  }

  #compareContent(inode: Inode, disk: Ext4Inode, place: Place): void {
    if (inode.kind === "file" && inode.size !== disk.size)
      this.#fault(place, `has ${disk.size} bytes, not ${inode.size}`);
    if (inode.kind === "symlink" && this.#image.linkTarget(disk) !== inode.target)
      this.#fault(place, "has another target");
  }

  #compareFields(inode: Inode, disk: Ext4Inode, place: Place): void {
    const set = (field: Field, value: number): void =>
      this.#command(setField(disk.number, field, value), place);
    if (inode.mode !== disk.mode) set("mode", typeBits[inode.kind] | inode.mode);
    if (inode.uid !== disk.uid) set("uid", inode.uid);
    if (inode.gid !== disk.gid) set("gid", inode.gid);
    const links = linksOnDisk(inode, disk);
    if (links !== disk.linkCount) set("links_count", links);
    if (inode.kind !== "character" && inode.kind !== "block") return;
    if (inode.major === disk.major && inode.minor === disk.minor) return;
    const [old, wide] = encodeDevice(inode);
    set("block[0]", old);
    set("block[1]", wide);
  }

  /** A tar header has one time. The others follow it, so that they don't tell when the image was built. */
  #compareTimes(inode: Inode, disk: Ext4Inode, place: Place): void {
    const compare = (field: TimeField, found: Timestamp): void => {
      if (sameTime(found, inode.mtime)) return;
      for (const text of setTime(disk.number, field, inode.mtime, found)) this.#command(text, place);
    };
    compare("mtime", disk.mtime);
    compare("atime", disk.atime);
    compare("ctime", disk.ctime);
  }

  #compareXattrs(inode: Inode, disk: Ext4Inode, place: Place): void {
    const found = this.#image.xattrs(disk);
    if (found.length === 0 && inode.xattrs.length === 0) return;
    // Copied by mkfs from the host, as a security module labels new files.
    for (const { name } of found) {
      if (!inode.xattrs.some((wanted) => wanted.name === name))
        this.#command(removeXattr(disk.number, name), place);
    }
    for (const wanted of inode.xattrs) {
      if (found.some((xattr) => sameXattr(xattr, wanted))) continue;
      this.#command(setXattr(disk.number, wanted.name, this.#valueFile(wanted.value)), place);
    }
  }

  #command(text: string, place: Place): void {
    this.commands.push({ text, subject: () => shownPath(place) });
  }

  #fault(place: Place, what: string): void {
    if (this.faults.length < maxFaults) this.faults.push(`${shownPath(place)} ${what}`);
  }
}

function isMkfsOwn(name: ByteString, directory: Ext4Inode): boolean {
  return name === "lost+found" && directory.number === rootInode;
}

/**
 * The root may have mkfs's lost+found besides the tree's. `dir_nlink`: a directory of more than 65,000 links says
 * 1 (EXT4_LINK_MAX, `ext4_inc_count`).
 */
function linksOnDisk(inode: Inode, disk: Ext4Inode): number {
  if (inode.kind !== "directory") return inode.linkCount;
  const names: ReadonlyMap<string, Inode> = inode.children;
  const more = disk.number === rootInode && !names.has("lost+found") ? 1 : 0;
  return inode.linkCount + more > 65_000 ? 1 : inode.linkCount + more;
}

/** The first two words of `i_block`, as `ext4_mknod` and include/linux/kdev_t.h have them. */
export function encodeDevice({ major, minor }: { major: number; minor: number }): readonly [number, number] {
  if (major < 256 && minor < 256) return [(major << 8) | minor, 0];
  return [0, ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0];
}

function sameTime(a: Timestamp, b: Timestamp): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

function sameXattr(a: Xattr, b: Xattr): boolean {
  return a.name === b.name && a.value.equals(b.value);
}
