import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "../../src/base/limits.ts";
import type { BuildInput, OwnershipFacts, RootfsBuilder } from "../../src/ext4/builder.ts";
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
    tempDir: tempIn(folder),
    sizeBytes: undefined,
    uuid: "01234567-89ab-cdef-0123-456789abcdef",
    hashSeed: "fedcba98-7654-3210-fedc-ba9876543210",
    limits: defaultLimits,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  };
}

export async function buildAll(
  input: BuildInput,
  builder: RootfsBuilder = e2fsprogsBuilder,
): Promise<OwnershipFacts> {
  await using build = await builder.build(input);
  return await build.applyOwnership();
}

/** Builds the tree, and asks the reader and e2fsck what became of it. */
export async function buildAndInspect(input: BuildInput, builder?: RootfsBuilder): Promise<Built> {
  const { target: path, tree, limits, signal } = input;
  const facts = await buildAll(input, builder);
  assertNoLitter(input);
  const verdict = await inspectImage({ path, tree, limits, signal, depth: "full" });
  return { image: path, facts, verdict };
}

/** A folder for the builder alone, so that what it leaves can be told. */
function tempIn(folder: string): string {
  const path = join(folder, "tmp");
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The builder must leave nothing but the image. */
export function assertNoLitter({ tempDir }: BuildInput): void {
  assert.deepEqual(readdirSync(tempDir), []);
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
