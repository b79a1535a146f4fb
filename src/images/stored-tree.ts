import { open, readFile, stat } from "node:fs/promises";
import type { Digest } from "../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { runInSlices, type Sliced } from "../base/slices.ts";
import { flatten } from "../layers/flatten.ts";
import { entriesOfTree } from "../layers/index-of-tree.ts";
import { decodeIndex } from "../layers/index/decode.ts";
import { IndexEncoder } from "../layers/index/encode.ts";
import type { RootTree } from "../layers/root-tree.ts";

/** Entries between two pauses: about a millisecond. */
const entriesPerSlice = 500;

/**
 * Writes beside an image what it must hold, so that it can be verified when its layers are long gone: the tree, as the
 * index of one layer, bound to the image's manifest. Not durable until the folder is synced, as publishing does.
 *
 * @throws BangerError DISK_FULL, PERMISSION_DENIED or INTERNAL.
 */
export async function writeStoredTree(
  path: string,
  tree: RootTree,
  manifest: Digest,
  signal: AbortSignal,
): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    await runInSlices(encodeTree(tree, manifest, chunks), signal);
    const handle = await open(path, "wx", 0o644);
    try {
      await handle.writev(chunks);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw asBangerError(error, "store tree");
  }
}

/**
 * Reads it back. The result is for comparing and listing: its contents have sizes and hashes, but no layer to be read
 * from.
 *
 * @throws BangerError FILESYSTEM_CORRUPT where it is missing or damaged, CANCELLED.
 */
export async function readStoredTree(
  path: string,
  manifest: Digest,
  limits: Limits,
  signal: AbortSignal,
): Promise<RootTree> {
  const op = "read stored tree";
  try {
    const file = await readBounded(path, limits.indexFileBytes);
    const binding = { blobDigest: manifest, diffId: manifest };
    const index = file && (await runInSlices(decodeIndex(file, binding), signal));
    if (index !== undefined) return await runInSlices(flatten([index], { limits }), signal);
  } catch (error) {
    throw asBangerError(error, op);
  }
  throw new BangerError("FILESYSTEM_CORRUPT", `${path} is missing or damaged`, {
    op,
    hint: "Remove the image and pull it again: without this file nobody knows what it should hold.",
  });
}

function* encodeTree(tree: RootTree, manifest: Digest, chunks: Buffer[]): Sliced<undefined> {
  const binding = { blobDigest: manifest, diffId: manifest };
  const encoder = new IndexEncoder(binding, (chunk) => chunks.push(Buffer.from(chunk)));
  // The index is of a stream in which all contents begin at 0: as long as the longest of them.
  let inflatedBytes = 0;
  for (const entry of entriesOfTree(tree)) {
    encoder.entry(entry);
    if (entry.kind === "file") inflatedBytes = Math.max(inflatedBytes, entry.storedBytes);
    if (encoder.entries % entriesPerSlice === 0) yield;
  }
  encoder.finish({ inflatedBytes, compression: "none" });
  return undefined;
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
