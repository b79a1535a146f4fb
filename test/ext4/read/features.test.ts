import assert from "node:assert/strict";
import { test } from "node:test";
import { runThrough } from "../../../src/base/slices.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { compareTree } from "../../../src/ext4/verify.ts";
import { assertLikeDebugfs } from "../debugfs-oracle.ts";
import { makeImage, program, Scratch } from "../image-maker.ts";
import { sampleTree } from "../sample-tree.ts";

/** Arguments of mke2fs: what is on by default, and each feature that changes how something is read on or off. */
const combinations = [
  "-b 1024",
  "-b 2048",
  "-b 4096",
  "-b 4096 -I 128",
  "-b 1024 -I 128 -O ^extents,^64bit,^metadata_csum",
  "-b 4096 -I 1024",
  "-b 1024 -O ^extents,^64bit",
  "-b 4096 -O ^metadata_csum",
  "-b 4096 -O ^metadata_csum,uninit_bg,^64bit",
  "-b 4096 -O ^metadata_csum,uninit_bg",
  "-b 4096 -O ^dir_index,^has_journal,^huge_file",
  "-b 1024 -O ^filetype",
  "-b 1024 -O meta_bg,^resize_inode -g 256 -N 512",
  "-b 1024 -O sparse_super2,meta_bg,^resize_inode -g 256 -N 512",
  "-b 1024 -O ^sparse_super,^resize_inode,^flex_bg",
  "-b 1024 -O bigalloc",
  "-b 4096 -O metadata_csum_seed,ea_inode,large_dir",
];

for (const combination of combinations) {
  test(`reads an image made with ${combination} as debugfs and its tree have it`, () => {
    using scratch = new Scratch();
    const mkfs = combination.split(" ");
    const built = sampleTree(mkfs.includes("128"));
    const path = makeImage(scratch, built, { mkfs });
    using image = Ext4Image.open(path);
    const { differences, inodeCount } = runThrough(compareTree(image, built.tree, { depth: "full" }));
    assert.deepEqual(differences, []);
    assert.equal(inodeCount, built.tree.inodeCount);
    assert.equal(assertLikeDebugfs(scratch, path, image), built.tree.inodeCount);
  });
}

test("the superblock says what dumpe2fs says", () => {
  using scratch = new Scratch();
  const uuid = "11111111-2222-3333-4444-555555555555";
  const hashSeed = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  const mkfs = ["-b", "2048", "-U", uuid, "-E", `hash_seed=${hashSeed}`, "-L", "root"];
  const path = makeImage(scratch, sampleTree(), { mkfs, sizeMiB: 40 });
  using image = Ext4Image.open(path);
  const dump = program("dumpe2fs", ["-h", path]);
  const said = (label: string): string => new RegExp(`^${label}:\\s+(.*)$`, "mu").exec(dump)?.[1] ?? "";
  const sb = image.superblock;
  assert.equal(sb.uuid, uuid);
  assert.equal(sb.hashSeed, hashSeed);
  assert.equal(sb.volumeName, "root");
  assert.equal(said("Directory Hash Seed"), hashSeed);
  assert.equal(sb.blockSize, Number(said("Block size")));
  assert.equal(sb.blockCount, Number(said("Block count")));
  assert.equal(sb.freeBlocks, Number(said("Free blocks")));
  assert.equal(sb.inodeCount, Number(said("Inode count")));
  assert.equal(sb.freeInodes, Number(said("Free inodes")));
  assert.equal(sb.blocksPerGroup, Number(said("Blocks per group")));
  assert.equal(sb.inodeSize, Number(said("Inode size")));
  assert.equal(sb.firstInode, Number(said("First inode")));
});
