import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { awkwardTree } from "./awkward-tree.ts";
import { buildAndInspect, inputFor, rejection, workFolder, type Built } from "./build-rig.ts";
import { noise, sampleTree } from "./sample-tree.ts";
import { buildTree, dir, file, link } from "./tree-builder.ts";

/** What every builder must do. */
const MiB = 1024 * 1024;

function assertRight({ verdict }: Pick<Built, "verdict">): void {
  assert.deepEqual(verdict.differences, []);
  assert.equal(verdict.fsck.clean, true, verdict.fsck.output);
  assert.deepEqual(verdict.fsck.problems, []);
}

for (const [name, builder] of [
  ["e2fsprogs", e2fsprogsBuilder],
  ["direct", makeDirectBuilder()],
] as const) {
  test(`${name}: one of everything reads back as it should`, async () => {
    await using folder = workFolder();
    const sample = sampleTree();
    const built = await buildAndInspect(await inputFor(sample, folder.path), builder);
    assertRight(built);
    assert.equal(built.facts.inodes, sample.tree.inodeCount);
    assert.equal(built.facts.devices, 3);
    assert.equal(built.facts.xattrs, 5);
  });

  test(`${name}: what is awkward reads back as it should`, async () => {
    await using folder = workFolder();
    const built = await buildAndInspect(await inputFor(awkwardTree(), folder.path), builder);
    assertRight(built);
    const { blocks } = statSync(built.image);
    assert.ok(blocks * 512 < 100 * MiB, "holes are kept, and free space costs nothing");
  });

  test(`${name}: an empty tree`, async () => {
    await using folder = workFolder();
    assertRight(await buildAndInspect(await inputFor(buildTree(dir()), folder.path), builder));
  });

  test(`${name}: a size that is asked for is kept to the block`, async () => {
    await using folder = workFolder();
    const sizeBytes = 200 * MiB + 4096;
    const input = await inputFor(sampleTree(), folder.path, { sizeBytes });
    const built = await buildAndInspect(input, builder);
    assertRight(built);
    assert.equal(statSync(built.image).size, sizeBytes);
  });

  test(`${name}: the least size works, and a MiB less is refused before anything is made`, async () => {
    await using folder = workFolder();
    const files = Array.from({ length: 500 }, (_, i) => [`f${i}`, file(noise(40_000, `${i}`))] as const);
    const input = await inputFor(buildTree(dir(Object.fromEntries(files))), folder.path);
    const failure = await rejection(builder.build({ ...input, sizeBytes: MiB }));
    assert.ok(hasReason(failure, "SIZE_TOO_SMALL"));
    const minimum = Number(failure.facts["minimumBytes"]);
    assertRight(await buildAndInspect({ ...input, sizeBytes: minimum }, builder));
    const target = join(folder.path, "smaller");
    const smaller = await rejection(builder.build({ ...input, target, sizeBytes: minimum - MiB }));
    assert.ok(hasReason(smaller, "SIZE_TOO_SMALL"));
    assert.equal(statSync(target, { throwIfNoEntry: false }), undefined);
  });

  test(`${name}: many names in a directory, and many names of a file`, async () => {
    await using folder = workFolder();
    const shared = file("shared");
    const sharedLink = link("shared");
    const children = Array.from(
      { length: 3000 },
      (_, i) =>
        [`${i}-${"n".repeat(i % 200)}`, i % 3 === 0 ? file("") : i % 3 === 1 ? shared : sharedLink] as const,
    );
    const tree = buildTree(dir({ d: dir(Object.fromEntries(children)) }));
    assertRight(await buildAndInspect(await inputFor(tree, folder.path), builder));
  });
}
