import type { Digest } from "../base/digest.ts";
import type { Limits } from "../base/limits.ts";
import { inspectImage, type Verdict, type VerifyDepth } from "../ext4/verify.ts";
import { imagePaths } from "./layout.ts";
import { readStoredTree } from "./stored-tree.ts";

export interface VerifyPublishedInput {
  readonly stateDir: string;
  readonly id: string;
  readonly manifestDigest: Digest;
  readonly depth: VerifyDepth;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * Compares a published image with what its layers said when it was made, and asks e2fsck. Changes nothing. What is
 * wrong with the image is in the verdict.
 *
 * @throws BangerError FILESYSTEM_CORRUPT where the stored tree or the superblock can't be read, E2FSPROGS_MISSING,
 *   CANCELLED.
 */
export async function verifyPublished(input: VerifyPublishedInput): Promise<Verdict> {
  const { stateDir, id, manifestDigest, depth, limits, signal } = input;
  const { rootfs: path, tree: treePath } = imagePaths(stateDir, id);
  const tree = await readStoredTree(treePath, manifestDigest, limits, signal);
  return inspectImage({ path, tree, depth, limits, signal });
}
