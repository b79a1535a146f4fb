import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { debianLayers } from "../system/debian-image.ts";
import { differences, type HostEntry } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { buildAndInspect, inputFor } from "./build-rig.ts";
import { buildTree, dir } from "./tree-builder.ts";
import { treeOfTars } from "./tree-of-tars.ts";

/** Each builder is the other's oracle; rules.test.ts does the same for what each rule about layers keeps. */
test("a Debian, with odd things in it: both builders make the same", async () => {
  await using place = await makeTempDir("banger-debian-");
  const { tree, layers } = await treeOfTars(await debianLayers(), place.path);
  const input = { ...(await inputFor(buildTree(dir()), place.path)), tree, layers };
  const trees: ReadonlyMap<string, HostEntry>[] = [];
  for (const builder of [e2fsprogsBuilder, makeDirectBuilder()]) {
    const target = join(place.path, builder.name);
    const { verdict } = await buildAndInspect({ ...input, target }, builder);
    assert.deepEqual(verdict.differences, [], builder.name);
    assert.deepEqual(verdict.fsck.problems, [], builder.name);
    trees.push(readMounted(target));
  }
  const [theirs = new Map(), ours = new Map()] = trees;
  assert.ok(theirs.size > 5000, `${theirs.size} names`);
  assert.deepEqual(differences(theirs, ours), []);
});
