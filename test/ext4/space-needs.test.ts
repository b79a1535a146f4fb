import assert from "node:assert/strict";
import { test } from "node:test";
import { runThrough } from "../../src/base/slices.ts";
import { blockBytes } from "../../src/ext4/geometry.ts";
import { directoryEntryBytes, expansionBlocks, spaceNeeds } from "../../src/ext4/space-needs.ts";
import { noise } from "./sample-tree.ts";
import { buildTree, device, dir, file, link, sparse, type Described } from "./tree-builder.ts";

const GiB = 1024 ** 3;

function needs(children: Readonly<Record<string, Described>>): { blocks: number; inodes: number } {
  return runThrough(spaceNeeds(buildTree(dir(children)).tree));
}

test("what a tree needs", async (t) => {
  const empty = needs({});
  const cases: readonly [string, Readonly<Record<string, Described>>, number, number][] = [
    ["nothing: the root alone", {}, 0, 0],
    ["an empty file", { a: file("") }, 0, 1],
    ["a byte takes a block", { a: file("x") }, 1, 1],
    ["a block takes a block", { a: file(noise(4096)) }, 1, 1],
    ["a byte more takes two", { a: file(noise(4097)) }, 2, 1],
    ["a directory", { a: dir() }, 1, 1],
    ["a short link", { a: link("x".repeat(59)) }, 0, 1],
    ["a long link", { a: link("x".repeat(60)) }, 1, 1],
    ["a hole", { a: sparse(GiB, []) }, 0, 1],
    ["a segment over a border", { a: sparse(GiB, [{ offset: 4095, bytes: noise(2) }]) }, 2, 1],
    [
      "two segments in one block",
      {
        a: sparse(
          4096,
          [0, 8].map((offset) => ({ offset, bytes: noise(4) })),
        ),
      },
      1,
      1,
    ],
    ["xattrs", { a: file("", { xattrs: { "user.a": "b" } }) }, 1, 1],
  ];
  for (const [what, children, blocks, inodes] of cases) {
    await t.test(what, () => {
      const found = needs(children);
      assert.deepEqual([found.blocks - empty.blocks, found.inodes - empty.inodes], [blocks, inodes]);
    });
  }
  const shared = file(noise(5000));
  assert.deepEqual(needs({ a: shared, b: shared, c: shared }), needs({ a: shared }), "a hard link is free");
});

test("many segments need blocks for the extent tree", () => {
  const pieces = Array.from({ length: 1000 }, (_, i) => ({ offset: i * 8192, bytes: noise(4096) }));
  const { blocks } = needs({ a: sparse(1000 * 8192, pieces) });
  assert.ok(blocks - needs({}).blocks >= 1000 + Math.ceil(1000 / 340), `${blocks} blocks`);
});

test("a directory's names never need more blocks than it is given", () => {
  for (const lengths of [[255], [1], [255, 1, 128], [120, 250]]) {
    const children: Record<string, Described> = {};
    let used = 24;
    let packed = 1;
    for (let i = 0; i < 3000; i++) {
      const name = String(i).padEnd(lengths[i % lengths.length] ?? 1, "n");
      children[name] = file("");
      // In the order that wastes most: next block as soon as one does not fit.
      const bytes = directoryEntryBytes(name);
      if (used + bytes > blockBytes - 12) [used, packed] = [0, packed + 1];
      used += bytes;
    }
    assert.ok(needs(children).blocks >= packed, `names of ${lengths.join(", ")} bytes`);
  }
});

test("late names are given blocks of their own", () => {
  const shared = link("x");
  const late = needs({ a: shared, b: shared }).blocks - needs({ a: link("x"), b: link("x") }).blocks;
  assert.equal(late, 1);
  assert.equal(needs({ a: device("block", 1, 2) }).blocks - needs({}).blocks, 1);
  assert.equal(expansionBlocks(0), 0);
  assert.equal(expansionBlocks(15 * 264), 2, "15 of the longest names fit into a block, if it is all theirs");
});
