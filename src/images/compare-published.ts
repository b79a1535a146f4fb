import { fromPrintable } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { runInSlices } from "../base/slices.ts";
import { cleanPath } from "../layers/entry-path.ts";
import { inodeAt } from "../layers/tree-walk.ts";
import { diffTrees, type DiffOptions, type TreeDiff } from "./diff-trees.ts";
import { imagePaths } from "./layout.ts";
import { readLayeredTree, readStoredTree, type StoredTree } from "./stored-tree.ts";
import { treeUsage, type TreeUsage } from "./tree-usage.ts";

/** Which published image, and where they are. */
export interface PublishedImage {
  readonly stateDir: string;
  readonly id: string;
  readonly manifestDigest: Digest;
}

export interface ReadOptions {
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * What differs between two images, by the trees that were stored of them. Opens neither file system.
 *
 * @throws BangerError FILESYSTEM_CORRUPT where a stored tree can't be read, CANCELLED.
 */
export async function diffPublished(
  before: PublishedImage,
  after: PublishedImage,
  options: ReadOptions & DiffOptions,
): Promise<TreeDiff> {
  const { limits, signal } = options;
  const read = ({ stateDir, id, manifestDigest }: PublishedImage) =>
    readStoredTree(imagePaths(stateDir, id).tree, manifestDigest, limits, signal);
  // One after the other: two of the largest at once would take twice the memory for reading.
  const old = await read(before);
  return await runInSlices(diffTrees(old, await read(after), options), signal);
}

export interface UsageRequest {
  /** A folder inside the image, as people write it: with the escapes of `printable`, and slashes where they like. */
  readonly path: string;
  readonly depth: number;
  readonly limit: number;
}

/**
 * What is large in an image, by the tree that was stored of it.
 *
 * @throws BangerError FILE_UNKNOWN where the path leads to no folder, FILESYSTEM_CORRUPT, CANCELLED.
 */
export async function publishedUsage(
  { stateDir, id, manifestDigest }: PublishedImage,
  request: UsageRequest,
  { limits, signal }: ReadOptions,
): Promise<TreeUsage> {
  const stored = await readLayeredTree(imagePaths(stateDir, id).tree, manifestDigest, limits, signal);
  const { depth, limit } = request;
  return await runInSlices(usageOf(stored, request.path, depth, limit, limits), signal);
}

function usageOf({ tree, layerOf }: StoredTree, text: string, depth: number, limit: number, limits: Limits) {
  const raw = fromPrintable(text === "" ? "/" : text);
  const { path } = cleanPath(raw, limits);
  const folder = path === undefined ? undefined : inodeAt(tree.root, path);
  if (path !== undefined && folder?.kind === "directory") {
    return treeUsage(folder, { path, depth, limit, layerOf });
  }
  const problem = folder === undefined ? "there is no" : `it is a ${folder.kind}, and no folder:`;
  throw new BangerError("FILE_UNKNOWN", `${problem} ${JSON.stringify(text.slice(0, 200))} in the image`, {
    op: "measure image",
    hint: "Give a folder as `banger image files` lists it; links are not followed here.",
  });
}
