import assert from "node:assert/strict";
import { defaultLimits } from "../../../src/base/limits.ts";
import { inspectImage, type VerifyDepth } from "../../../src/ext4/verify.ts";
import type { BuiltTree } from "../tree-builder.ts";

/** The reader finds the tree to the last byte, and e2fsck has nothing to say. */
export async function inspect(
  path: string,
  { tree }: Pick<BuiltTree, "tree">,
  depth: VerifyDepth = "full",
): Promise<void> {
  const signal = new AbortController().signal;
  const verdict = await inspectImage({ path, tree, limits: defaultLimits, signal, depth });
  assert.deepEqual(verdict.differences, []);
  assert.ok(verdict.fsck.ran && verdict.fsck.clean, JSON.stringify(verdict.fsck));
  assert.deepEqual(verdict.fsck.problems, []);
}
