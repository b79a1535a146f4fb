import { open } from "node:fs/promises";
import { splitPath, utf8Bytes, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import { runInSlices, type Sliced } from "../../base/slices.ts";
import { writeWhole } from "../../base/write-whole.ts";
import type { CleanPath } from "../../layers/entry-path.ts";
import { blockBytes } from "../geometry.ts";
import { ImageFile } from "../read/image-file.ts";
import { Ext4Image, rootInode } from "../read/image.ts";
import { runScript, type Command, type ScriptContext } from "./debugfs.ts";
import { directoryBlock, packNames, withParent, type DirectoryName } from "./directory-blocks.ts";
import type { GatherPlan } from "./gather-plan.ts";
import { discard, growDirectory, setField } from "./script.ts";

/** A directory that gets its names. */
interface Target {
  readonly inode: number;
  readonly blocks: readonly (readonly DirectoryName[])[];
  /** Blocks that it has to be given. */
  readonly missing: number;
}

interface Found {
  readonly targets: readonly Target[];
  /** New parents of directories, by inode. */
  readonly parents: ReadonlyMap<number, number>;
  /** Inodes of the folders that go. */
  readonly folders: readonly number[];
}

/**
 * Moves what was staged in buckets to the directories that it belongs to. debugfs does all that takes or frees a
 * block or an inode; only the blocks of directories are written here. What link counts that leaves wrong, and what
 * times, is mended with those that mkfs leaves wrong.
 */
export async function gather(plan: GatherPlan, context: ScriptContext): Promise<void> {
  if (plan.holder === undefined) return;
  const found = await runInSlices(readPlaces(plan, context.image), context.signal);
  const grow = found.targets.flatMap(({ inode, missing }) =>
    Array.from({ length: missing }, () => command(growDirectory(inode), inode)),
  );
  if (grow.length > 0) await runScript(grow, context);
  await writeNames(found, context);
  const drop = found.folders.flatMap((inode) => [
    command(setField(inode, "links_count", 0), inode),
    command(discard(inode), inode),
  ]);
  await runScript(drop, context);
}

function command(text: string, inode: number): Command {
  return { text, subject: () => `inode ${inode}` };
}

/** Reads which inodes are where, and decides which names go into which block. */
function* readPlaces({ holder, directories, folders }: GatherPlan, path: string): Sliced<Found> {
  using image = Ext4Image.open(path);
  const listings = new Listings(image);
  const parents = new Map<number, number>();
  const buckets = new Map<number, readonly CleanPath[]>([[rootInode, []]]);
  for (const { path: directory, buckets: own } of directories) buckets.set(listings.inode(directory), own);
  const targets: Target[] = [];
  for (const [inode, own] of buckets) {
    const names = [...listings.of(inode).values()].filter(
      ({ name }) => inode !== rootInode || name !== holder,
    );
    for (const bucket of own) {
      for (const moved of listings.of(listings.inode(bucket)).values()) {
        names.push(moved);
        if (moved.fileType === directoryType) parents.set(moved.inode, inode);
      }
      yield;
    }
    const blocks = packNames(names);
    const had = image.inode(inode).size / blockBytes;
    targets.push({ inode, blocks, missing: Math.max(0, blocks.length - had) });
  }
  return { targets, parents, folders: folders.map((folder) => listings.inode(folder)) };
}

const directoryType = 2;

/** Names of directories, read once each. */
class Listings {
  readonly #image: Ext4Image;
  readonly #known = new Map<number, ReadonlyMap<ByteString, DirectoryName>>();

  constructor(image: Ext4Image) {
    this.#image = image;
  }

  of(inode: number): ReadonlyMap<ByteString, DirectoryName> {
    const known = this.#known.get(inode);
    if (known !== undefined) return known;
    const names = new Map<ByteString, DirectoryName>();
    for (const entry of this.#image.entries(this.#image.inode(inode))) names.set(entry.name, entry);
    this.#known.set(inode, names);
    return names;
  }

  inode(path: CleanPath): number {
    let inode = rootInode;
    for (const name of path === "" ? [] : splitPath(path)) {
      const found = this.of(inode).get(name);
      if (found === undefined) throw notMade(path);
      inode = found.inode;
    }
    return inode;
  }
}

/** Writes the blocks of all targets, and the new parents of what was moved and is no target itself. */
async function writeNames({ targets, parents }: Found, context: ScriptContext): Promise<void> {
  using image = Ext4Image.open(context.image);
  using written = new ImageFile(context.image);
  await using file = await open(context.image, "r+");
  const done = new Set<number>();
  for (const { inode, blocks } of targets) {
    context.signal.throwIfAborted();
    done.add(inode);
    const { seed, places } = directoryOf(image, inode);
    const [first] = places;
    if (first === undefined || places.length < blocks.length) {
      throw notMade(utf8Bytes(`room in inode ${inode}`));
    }
    const parent = parents.get(inode) ?? parentIn(directoryStart(written, inode, first));
    for (const [i, place] of places.entries()) {
      const dots = i === 0 ? { self: inode, parent } : undefined;
      await writeWhole(file, [directoryBlock(blocks[i] ?? [], dots, seed)], place);
    }
  }
  for (const [inode, parent] of parents) {
    if (done.has(inode)) continue;
    const { seed, places } = directoryOf(image, inode);
    const [first] = places;
    if (first === undefined) throw notMade(utf8Bytes(`inode ${inode}`));
    await writeWhole(file, [withParent(directoryStart(written, inode, first), parent, seed)], first);
  }
}

/** Where in the image a directory's blocks are, in bytes, and what their checksums begin with. */
function directoryOf(image: Ext4Image, number: number): { seed: number; places: readonly number[] } {
  const inode = image.inode(number);
  const places: number[] = [];
  for (const { physical, length } of image.extents(inode)) {
    for (let i = 0; i < length; i++) places.push((physical + i) * blockBytes);
  }
  return { seed: inode.checksumSeed ?? 0, places };
}

/** A directory's first block. */
function directoryStart(image: ImageFile, directory: number, place: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  image.readInto(place, block, { directory });
  return block;
}

/** What ".." is, the second entry after "." with its 12 bytes. */
function parentIn(block: Buffer): number {
  return block.readUInt32LE(12);
}

function notMade(what: ByteString): BangerError {
  return new BangerError("E2FSPROGS_FAILED", `mkfs.ext4 or debugfs did not make ${what}`, {
    op: "gather names",
  });
}
