import { joinBytes, printable, utf8Bytes, type ByteString } from "../../base/bytes.ts";
import type { Sliced } from "../../base/slices.ts";
import type { DirectoryInode, FileInode, Inode, RootTree } from "../../layers/root-tree.ts";
import type { DirectoryEntry } from "../read/directory-block.ts";
import { rootInode, type Ext4Image } from "../read/image.ts";
import type { Ext4Inode, InodeKind } from "../read/inode.ts";
import { compareContent, contentPieceBytes } from "./compare-content.ts";
import { compareInode } from "./compare-inode.ts";
import { Differences, type Difference } from "./differences.ts";
import { ifReadable, noteUnreadable } from "./readable.ts";

/** "metadata" compares names and inodes, "full" the contents of files as well. */
export type VerifyDepth = "metadata" | "full";

export interface CompareOptions {
  readonly depth: VerifyDepth;
  /** How many differences are listed; a broken image may have one for every file. */
  readonly maxDifferences?: number;
}

export interface VerifyReport {
  /** Inodes of the tree that were found and compared. */
  readonly inodeCount: number;
  readonly contentBytesHashed: number;
  /** Empty where the image is what the tree says. */
  readonly differences: readonly Difference[];
  /** There are more differences than are listed; the comparison ended there. */
  readonly truncated: boolean;
}

/** Enough to see a pattern, few enough for one message. */
const defaultMaxDifferences = 100;
const lostAndFound = utf8Bytes("lost+found");
const slash = utf8Bytes("/");
/** Inodes between two pauses: well below a millisecond. */
const inodesPerSlice = 32;
/** Names of one directory between two pauses, likewise: there may be millions. */
const namesPerSlice = 250;

/** `EXT4_FT_*` of directory entries, directory.rst. */
const entryTypes: readonly (InodeKind | undefined)[] = [
  undefined,
  "file",
  "directory",
  "character",
  "block",
  "fifo",
  "socket",
  "symlink",
];

/** A name of the tree and the inode that the image has for it. */
interface Visit {
  readonly path: ByteString;
  readonly expected: Inode;
  readonly number: number;
  readonly fileType: number;
}

/**
 * Compares every name and inode of the image with the tree: names missing and too many, type, mode, owner,
 * mtime, size, link count, which names share an inode, link targets, devices, xattrs, and with "full" what the
 * files contain. A file may be less sparse than the tree says, and an empty `lost+found` of root's may be there.
 *
 * Structures that can't be read are differences too, of the path that leads to them.
 */
export function compareTree(image: Ext4Image, tree: RootTree, options: CompareOptions): Sliced<VerifyReport> {
  return new Comparison(image, options).run(tree);
}

class Comparison {
  readonly #image: Ext4Image;
  readonly #out: Differences;
  readonly #full: boolean;
  readonly #scratch: Buffer;
  readonly #pending: Visit[] = [];
  /** The first name of each inode of the image, and the inode of each inode of the tree that has several names. */
  readonly #pathOf = new Map<number, ByteString>();
  readonly #numberOf = new Map<Inode, number>();
  #inodeCount = 0;
  #bytesHashed = 0;

  constructor(image: Ext4Image, options: CompareOptions) {
    this.#image = image;
    this.#out = new Differences(options.maxDifferences ?? defaultMaxDifferences);
    this.#full = options.depth === "full";
    this.#scratch = Buffer.allocUnsafeSlow(this.#full ? contentPieceBytes : 0);
  }

  *run(tree: RootTree): Sliced<VerifyReport> {
    const out = this.#out;
    let visits = 0;
    this.#pending.push({ path: slash, expected: tree.root, number: rootInode, fileType: 0 });
    for (let visit = this.#pending.pop(); visit !== undefined; visit = this.#pending.pop()) {
      if (out.truncated) break;
      if (++visits % inodesPerSlice === 0) yield;
      const found = this.#isFirstName(visit)
        ? ifReadable(visit.path, "inode", out, () => this.#image.inode(visit.number))
        : undefined;
      if (found !== undefined) yield* this.#compare(visit, found);
    }
    return {
      inodeCount: this.#inodeCount,
      contentBytesHashed: this.#bytesHashed,
      differences: out.list,
      truncated: out.truncated,
    };
  }

  /** Whether this name's inode is still to be compared; if it isn't, both sides must have met it before. */
  #isFirstName({ path, expected, number }: Visit): boolean {
    const known = this.#numberOf.get(expected);
    const first = this.#pathOf.get(number);
    if (known === number) return false;
    if (known !== undefined) {
      this.#out.add(path, "hard link", `the inode of ${this.#quotePath(known)}`, `another inode, ${number}`);
    }
    if (first !== undefined) {
      this.#out.add(path, "hard link", "an inode of its own", `inode ${number}, that of ${printable(first)}`);
      return false;
    }
    this.#pathOf.set(number, path);
    if (known === undefined && expected.kind !== "directory" && expected.linkCount > 1) {
      this.#numberOf.set(expected, number);
    }
    return true;
  }

  #quotePath(number: number): string {
    const path = this.#pathOf.get(number);
    return path === undefined ? `inode ${number}` : printable(path);
  }

  *#compare({ path, expected, fileType }: Visit, found: Ext4Inode): Sliced<void> {
    const out = this.#out;
    this.#inodeCount++;
    const inEntry = entryTypes[fileType];
    if (inEntry !== undefined) out.compare(path, "type in the directory", found.kind, inEntry);
    const extraDirectories =
      expected.kind === "directory" && found.kind === "directory"
        ? yield* this.#compareNames(path, expected, found)
        : 0;
    compareInode({ path, expected, found, extraDirectories }, this.#image, out);
    if (this.#full && expected.kind === "file" && found.kind === "file" && expected.size === found.size) {
      try {
        yield* this.#compareContent(path, expected, found);
      } catch (error) {
        noteUnreadable(path, "content", out, error);
      }
    }
  }

  /** Queues the names that both have. Returns how many directories only the image has, and may have. */
  *#compareNames(path: ByteString, expected: DirectoryInode, found: Ext4Inode): Sliced<number> {
    const out = this.#out;
    const names = yield* this.#readableNames(path, found);
    if (names === undefined) return 0;
    let looked = 0;
    for (const [name, child] of expected.children) {
      if (++looked % namesPerSlice === 0) yield;
      const childPath = join(path, name);
      const entry = names.get(name);
      names.delete(name);
      if (entry === undefined) out.add(childPath, "name", child.kind, "nothing");
      else
        this.#pending.push({
          path: childPath,
          expected: child,
          number: entry.inode,
          fileType: entry.fileType,
        });
    }
    let accepted = 0;
    for (const [name, { inode }] of names) {
      if (found.number === rootInode && name === lostAndFound && this.#isFreshLostAndFound(inode)) accepted++;
      else out.add(join(path, name), "name", "nothing", `inode ${inode}`);
    }
    return accepted;
  }

  *#readableNames(
    path: ByteString,
    directory: Ext4Inode,
  ): Sliced<Map<ByteString, DirectoryEntry> | undefined> {
    try {
      return yield* this.#names(path, directory);
    } catch (error) {
      noteUnreadable(path, "names", this.#out, error);
      return undefined;
    }
  }

  *#names(path: ByteString, directory: Ext4Inode): Sliced<Map<ByteString, DirectoryEntry>> {
    const names = new Map<ByteString, DirectoryEntry>();
    for (const entry of this.#image.entries(directory)) {
      if (names.size % namesPerSlice === 0) yield;
      if (names.has(entry.name)) this.#out.add(join(path, entry.name), "name", "once", "twice");
      names.set(entry.name, entry);
    }
    return names;
  }

  /** mke2fs always makes one: 0:0 and empty. */
  #isFreshLostAndFound(number: number): boolean {
    const isFresh = ifReadable(join(slash, lostAndFound), "inode", this.#out, () => {
      const found = this.#image.inode(number);
      if (found.kind !== "directory" || found.uid !== 0 || found.gid !== 0) return false;
      return this.#image.entries(found).next().done === true;
    });
    return isFresh === true;
  }

  *#compareContent(path: ByteString, expected: FileInode, found: Ext4Inode): Sliced<void> {
    const out = this.#out;
    const { sha256, filledHole, bytesHashed } = yield* compareContent(
      this.#image,
      found,
      expected,
      this.#scratch,
    );
    this.#bytesHashed += bytesHashed;
    if (!sha256.equals(expected.content.sha256)) {
      out.add(path, "content", formatHash(expected.content.sha256), formatHash(sha256));
    }
    if (filledHole !== undefined)
      out.add(path, "content", "zeros in its holes", `data at byte ${filledHole}`);
  }
}

function join(directory: ByteString, name: ByteString): ByteString {
  return directory === slash ? joinBytes([slash, name]) : joinBytes([directory, name], "/");
}

function formatHash(sha256: Buffer): string {
  return `sha256:${sha256.toString("hex")}`;
}
