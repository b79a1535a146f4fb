import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "../../src/base/limits.ts";
import type { BuildInput, OwnershipFacts } from "../../src/ext4/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { inspectImage, type Verdict } from "../../src/ext4/verify.ts";
import { layTree } from "./tree-layers.ts";
import type { BuiltTree } from "./tree-builder.ts";

export interface Built {
  readonly image: string;
  readonly facts: OwnershipFacts;
  readonly verdict: Verdict;
}

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder for blobs and images, gone at the end. */
export function workFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "banger-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function inputFor(
  built: BuiltTree,
  folder: string,
  more: Partial<BuildInput> = {},
): Promise<BuildInput> {
  return {
    tree: built.tree,
    layers: await layTree(built, folder),
    target: join(folder, "rootfs.ext4"),
    sizeBytes: undefined,
    uuid: "01234567-89ab-cdef-0123-456789abcdef",
    hashSeed: "fedcba98-7654-3210-fedc-ba9876543210",
    reserveBytes: 0,
    limits: defaultLimits,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  };
}

/** Builds the tree, and asks the reader and e2fsck what became of it. */
export async function buildAndInspect(input: BuildInput): Promise<Built> {
  const { target: path, tree, limits, signal } = input;
  await using build = await e2fsprogsBuilder.build(input);
  const facts = await build.applyOwnership();
  const verdict = await inspectImage({ path, tree, limits, signal, depth: "full" });
  return { image: path, facts, verdict };
}

/** What the builder left in TMPDIR. */
export async function litter(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("banger-build-"));
}

/** What a promise that must fail fails with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("it did not fail");
}
