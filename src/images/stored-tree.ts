import { open, readFile, stat, type FileHandle } from "node:fs/promises";
import type { Digest } from "../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { runInSlices, type Sliced } from "../base/slices.ts";
import { writeWhole } from "../base/write-whole.ts";
import { flatten } from "../layers/flatten.ts";
import { entriesOfTree } from "../layers/index-of-tree.ts";
import { decodeIndex } from "../layers/index/decode.ts";
import { IndexEncoder } from "../layers/index/encode.ts";
import { OriginsEncoder, decodeOrigins, hasOrigins, type Origins } from "../layers/index/origins.ts";
import type { Inode, RootTree } from "../layers/root-tree.ts";
import { everyName } from "../layers/tree-walk.ts";

/** Entries between two pauses: about a millisecond. */
const entriesPerSlice = 500;

/** A tree that was read back, and where its inodes stem from. */
export interface StoredTree {
  readonly tree: RootTree;
  /**
   * Position of the layer that an inode stems from, from 0 and oldest first; what was injected has the one after the
   * image's last. Undefined where nobody knows: images of earlier versions don't say.
   */
  readonly layerOf: ((inode: Inode) => number | undefined) | undefined;
}

/**
 * Writes beside an image what it must hold, so that it can be verified when its layers are long gone: the tree, as the
 * index of one layer, bound to the image's manifest, and before it the layer that each entry stems from. Not durable
 * until the folder is synced, as publishing does.
 *
 * @throws BangerError LIMIT_ENTRIES where it would be more than is read back, DISK_FULL, PERMISSION_DENIED or INTERNAL.
 */
export async function writeStoredTree(
  path: string,
  tree: RootTree,
  manifest: Digest,
  limits: Pick<Limits, "indexFileBytes">,
  signal: AbortSignal,
): Promise<void> {
  try {
    const handle = await open(path, "wx", 0o644);
    try {
      const pieces = new Pieces(handle, limits.indexFileBytes);
      pieces.add(await runInSlices(encodeOrigins(tree, manifest), signal));
      await runInSlices(encodeTree(tree, manifest, pieces), signal, () => pieces.write());
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw asBangerError(error, "store tree");
  }
}

/**
 * Reads it back. The result is for comparing and listing: its contents have sizes and hashes, but no layer to be read
 * from, and the layer of every inode is 0.
 *
 * @throws BangerError FILESYSTEM_CORRUPT where it is missing or damaged, CANCELLED.
 */
export async function readStoredTree(
  path: string,
  manifest: Digest,
  limits: Limits,
  signal: AbortSignal,
): Promise<RootTree> {
  return (await readLayeredTree(path, manifest, limits, signal)).tree;
}

/** The same, with the layer of each inode where the file says it. Errors are those of `readStoredTree`. */
export async function readLayeredTree(
  path: string,
  manifest: Digest,
  limits: Limits,
  signal: AbortSignal,
): Promise<StoredTree> {
  const op = "read stored tree";
  try {
    const file = await readBounded(path, limits.indexFileBytes);
    const opened = file && openFile(file, manifest);
    const binding = { blobDigest: manifest, diffId: manifest };
    const index = opened && (await runInSlices(decodeIndex(opened.index, binding), signal));
    if (index !== undefined) {
      const tree = await runInSlices(flatten([index], { limits }), signal);
      const origins = opened?.origins;
      // The index is one layer, whose entries are numbered as the origins are.
      return { tree, layerOf: origins && (({ origin }) => origins.layerOf(origin.entry)) };
    }
  } catch (error) {
    throw asBangerError(error, op);
  }
  throw new BangerError("FILESYSTEM_CORRUPT", `${path} is missing or damaged`, {
    op,
    facts: { path },
  });
}

interface OpenedFile {
  readonly index: Buffer;
  readonly origins: Origins | undefined;
}

/** Version 1 is the index alone. */
function openFile(file: Buffer, manifest: Digest): OpenedFile | undefined {
  if (!hasOrigins(file)) return { index: file, origins: undefined };
  const decoded = decodeOrigins(file, manifest);
  return decoded && { index: decoded.rest, origins: decoded.origins };
}

/** The layer of each name, in the order of the index's entries. */
function* encodeOrigins(tree: RootTree, manifest: Digest): Sliced<Buffer> {
  const origins = new OriginsEncoder();
  let names = 0;
  for (const { inode } of everyName(tree.root)) {
    origins.add(inode.origin.layer);
    if (++names % entriesPerSlice === 0) yield;
  }
  return origins.finish(manifest);
}

function* encodeTree(tree: RootTree, manifest: Digest, pieces: Pieces): Sliced<void> {
  const binding = { blobDigest: manifest, diffId: manifest };
  const encoder = new IndexEncoder(binding, (chunk) => pieces.add(Buffer.from(chunk)));
  // The index is of a stream in which all contents begin at 0: as long as the longest of them.
  let inflatedBytes = 0;
  for (const entry of entriesOfTree(tree)) {
    encoder.entry(entry);
    if (entry.kind === "file") inflatedBytes = Math.max(inflatedBytes, entry.storedBytes);
    if (encoder.entries % entriesPerSlice === 0) yield;
  }
  encoder.finish({ inflatedBytes, compression: "none", blobCrc32: undefined });
}

/**
 * A file's pieces in order, written as they come. Each layer's index was held to the bound on its own: an image that
 * nobody could verify any more is not published.
 */
class Pieces {
  readonly #file: FileHandle;
  readonly #limit: number;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #written = 0;

  constructor(file: FileHandle, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  /** @throws BangerError LIMIT_ENTRIES */
  add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#limit) {
      const what = `the image's names and attributes are more than ${this.#limit} bytes together`;
      throw new BangerError("LIMIT_ENTRIES", what, { op: "store tree", facts: { rule: "index-bytes" } });
    }
    this.#waiting.push(piece);
  }

  async write(): Promise<void> {
    const pieces = this.#waiting;
    this.#waiting = [];
    this.#written = await writeWhole(this.#file, pieces, this.#written);
  }
}

/** Undefined where there is no such file, or one that is larger than any that was written. */
async function readBounded(path: string, limit: number): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(path);
    return size > limit ? undefined : await readFile(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
