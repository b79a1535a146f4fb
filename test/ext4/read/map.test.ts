import assert from "node:assert/strict";
import { test } from "node:test";
import { runThrough } from "../../../src/base/slices.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { resolvePath } from "../../../src/ext4/read/path.ts";
import { utf8Bytes } from "../../../src/base/bytes.ts";
import { compareTree } from "../../../src/ext4/verify.ts";
import { assertLikeDebugfs } from "../debugfs-oracle.ts";
import { debugfs, makeImage, program, Scratch } from "../image-maker.ts";
import { noise } from "../sample-tree.ts";
import { buildTree, dir, file, sparse, type Described } from "../tree-builder.ts";

const KiB = 1024;

/** Every other block is a hole: each block that is there is an extent of its own. */
function everyOther(blocks: number, blockSize: number): Described {
  const bytes = Buffer.alloc(blockSize, 0xa5);
  const pieces = Array.from({ length: blocks }, (_, i) => ({ offset: 2 * i * blockSize, bytes }));
  return sparse(2 * blocks * blockSize, pieces);
}

/** Blocks of 1 KiB hold 84 extents: four in the inode, 84² below one more level, and so on. */
const depths = [
  { blocks: 4, depth: 0 },
  { blocks: 300, depth: 1 },
  { blocks: 9000, depth: 2 },
  { blocks: 30_000, depth: 3 },
];

for (const { blocks, depth } of depths) {
  test(`walks an extent tree ${depth} deep`, () => {
    using scratch = new Scratch();
    const built = buildTree(dir({ holes: everyOther(blocks, KiB) }));
    const path = makeImage(scratch, built, { sizeMiB: 64, mkfs: ["-b", "1024"] });
    using image = Ext4Image.open(path);
    const inode = runThrough(resolvePath(image, utf8Bytes("/holes"), { followLast: false }));
    assert.equal(inode.blockArea.readUInt16LE(6), depth, "depth in the root of the tree");
    assert.equal([...image.extents(inode)].length, blocks);
    assert.deepEqual(runThrough(compareTree(image, built.tree, { depth: "full" })).differences, []);
    assertLikeDebugfs(scratch, path, image);
  });
}

test("walks a block map through its triple indirection", () => {
  using scratch = new Scratch();
  const far = (12 + 256 + 256 * 256 + 70_000) * KiB;
  const built = buildTree(
    dir({
      far: sparse(far + 5000, [
        { offset: 0, bytes: noise(20 * KiB, "direct") },
        { offset: 200 * KiB, bytes: noise(200 * KiB, "indirect and double") },
        { offset: far, bytes: noise(5000, "triple") },
      ]),
      large: file(noise(400 * KiB)),
      scattered: everyOther(3000, KiB),
    }),
  );
  const path = makeImage(scratch, built, { mkfs: ["-b", "1024", "-O", "^extents,^64bit,^metadata_csum"] });
  using image = Ext4Image.open(path);
  const inode = runThrough(resolvePath(image, utf8Bytes("/far"), { followLast: false }));
  assert.notEqual(inode.blockArea.readUInt32LE(14 * 4), 0, "it has a triple indirect block");
  assert.deepEqual(runThrough(compareTree(image, built.tree, { depth: "full" })).differences, []);
  assertLikeDebugfs(scratch, path, image);
});

test("unwritten extents read as zeros, whatever the blocks hold", () => {
  using scratch = new Scratch();
  const built = buildTree(dir({ big: file(Buffer.alloc(64 * KiB, 1)), gap: sparse(64 * KiB, []) }));
  const path = makeImage(scratch, built, { mkfs: ["-b", "4096"] });
  // The blocks that `big` filled are free again when `gap` gets them.
  debugfs(scratch, path, ["rm /big", "fallocate /gap 0 15"]);
  program("e2fsck", ["-fn", path]);
  using image = Ext4Image.open(path);
  const gap = runThrough(resolvePath(image, utf8Bytes("/gap"), { followLast: false }));
  const extents = [...image.extents(gap)];
  assert.equal(
    extents.reduce((sum, { length }) => sum + length, 0),
    16,
  );
  assert.ok(extents.every(({ unwritten }) => unwritten));
  assert.deepEqual(image.read(gap, 0, 64 * KiB), Buffer.alloc(64 * KiB));
  assertLikeDebugfs(scratch, path, image);
});

test("reads any window of a file with holes", () => {
  using scratch = new Scratch();
  const pieces = [
    { offset: 1000, bytes: noise(5000, "1") },
    { offset: 30_000, bytes: noise(9000, "2") },
  ];
  const size = 50_000;
  const whole = Buffer.alloc(size);
  for (const { offset, bytes } of pieces) bytes.copy(whole, offset);
  const path = makeImage(scratch, buildTree(dir({ f: sparse(size, pieces) })), { mkfs: ["-b", "1024"] });
  using image = Ext4Image.open(path);
  const inode = runThrough(resolvePath(image, utf8Bytes("f"), { followLast: false }));
  for (let offset = 0; offset < size + 2000; offset += 977) {
    for (const length of [0, 1, 1023, 1024, 4097, size]) {
      assert.deepEqual(
        image.read(inode, offset, length),
        whole.subarray(offset, offset + length),
        `${offset}+${length}`,
      );
    }
  }
});
