import assert from "node:assert/strict";
import { closeSync, copyFileSync, openSync, readSync, truncateSync, writeSync } from "node:fs";
import { test } from "node:test";
import { utf8Bytes } from "../../../src/base/bytes.ts";
import { BangerError, hasReason } from "../../../src/base/error.ts";
import { runThrough } from "../../../src/base/slices.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { resolvePath } from "../../../src/ext4/read/path.ts";
import { compareTree } from "../../../src/ext4/verify.ts";
import { makeImage, program, Scratch } from "../image-maker.ts";
import { noise } from "../sample-tree.ts";
import { buildTree, dir, file, link, sparse } from "../tree-builder.ts";

const blockSize = 1024;
const withChecksums = ["-b", "1024"];
const without = ["-b", "1024", "-O", "^metadata_csum,^64bit"];
const withBlockMaps = ["-b", "1024", "-O", "^metadata_csum,^64bit,^extents"];

const built = buildTree(
  dir({
    etc: dir({ passwd: file(noise(3000), { xattrs: { "user.inside": "value" } }) }),
    attributes: file("", { xattrs: { "user.large": noise(600) } }),
    deep: sparse(
      600 * blockSize,
      Array.from({ length: 300 }, (_, i) => ({ offset: 2 * i * blockSize, bytes: noise(blockSize, `${i}`) })),
    ),
    link: link("a/target/of/more/than/sixty/bytes/so/that/it/takes/a/block/of/its/own"),
  }),
);

/** Changes bytes at a place of the image. */
function patch(path: string, position: number, change: (bytes: Buffer) => void, length = 4): void {
  const fd = openSync(path, "r+");
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  change(bytes);
  writeSync(fd, bytes, 0, length, position);
  closeSync(fd);
}

const flip = (bytes: Buffer): void => void bytes.writeUInt8(bytes.readUInt8(0) ^ 0x10, 0);

/** Where things lie, as the reader and debugfs find them in the sound image. */
interface Places {
  readonly inode: (path: string) => number;
  readonly block: (path: string, index?: number) => number;
  readonly xattrBlock: (path: string) => number;
}

function placesOf(path: string): Places {
  using image = Ext4Image.open(path);
  const number = (name: string): number =>
    runThrough(resolvePath(image, utf8Bytes(name), { followLast: false })).number;
  const numbers = new Map(
    ["/", "/etc", "/etc/passwd", "/attributes", "/deep", "/link"].map((name) => [name, number(name)]),
  );
  const of = (name: string): number => numbers.get(name) ?? assert.fail(name);
  return {
    inode: (name) => {
      const said = program("debugfs", ["-R", `imap <${of(name)}>`, path]);
      const [, block, offset] = /located at block (\d+), offset 0x(\w+)/u.exec(said) ?? [];
      return Number(block) * blockSize + Number.parseInt(offset ?? "", 16);
    },
    block: (name, index = 0) =>
      Number(program("debugfs", ["-R", `bmap <${of(name)}> ${index}`, path]).trim()) * blockSize,
    xattrBlock: (name) => {
      const said = program("debugfs", ["-R", `stat <${of(name)}>`, path]);
      return Number(/File ACL: (\d+)/u.exec(said)?.[1]) * blockSize;
    },
  };
}

interface Case {
  readonly name: string;
  readonly mkfs: readonly string[];
  readonly damage: (image: string, places: Places) => void;
  /** `path field: found` of the only difference; undefined where the image can't even be opened. */
  readonly expected: RegExp;
}

/** The offset of the field in `struct ext4_inode`. */
const inodeField = {
  mode: 0,
  size: 4,
  mtime: 16,
  links: 26,
  blockArea: 40,
  generation: 100,
  xattrBlock: 104,
  mtimeExtra: 136,
};

const cases: readonly Case[] = [
  {
    name: "an inode, checksums",
    mkfs: withChecksums,
    damage: (image, { inode }) => patch(image, inode("/etc/passwd") + inodeField.mtime, flip),
    expected: /^\/etc\/passwd inode: inode \d+: the checksum differs$/u,
  },
  {
    name: "an inode's time",
    mkfs: without,
    damage: (image, { inode }) => patch(image, inode("/etc/passwd") + inodeField.mtime, flip),
    expected: /^\/etc\/passwd mtime: 1600000016\.123456789$/u,
  },
  {
    name: "an inode's nanoseconds",
    mkfs: without,
    damage: (image, { inode }) => patch(image, inode("/link") + inodeField.mtimeExtra, (b) => b.fill(0xff)),
    expected: /^\/link inode: inode \d+: a time has more than/u,
  },
  {
    name: "an inode's type",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/etc/passwd") + inodeField.mode, (b) => b.writeUInt16LE(0x3000, 0)),
    expected: /^\/etc\/passwd inode: inode \d+: the mode 030000 has no known type$/u,
  },
  {
    name: "an inode that is free",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/etc/passwd") + inodeField.links, (b) => b.writeUInt16LE(0, 0)),
    expected: /^\/etc\/passwd inode: inode \d+: it is named but not in use/u,
  },
  {
    name: "a directory block, checksums",
    mkfs: withChecksums,
    damage: (image, { block }) => patch(image, block("/etc") + 500, flip),
    expected: /^\/etc names: directory \d+, file block 0: the checksum of the directory block differs$/u,
  },
  {
    name: "a directory's name",
    mkfs: without,
    // "passwd" follows "." and "..", 12 bytes each, and its own header of 8.
    damage: (image, { block }) => patch(image, block("/etc") + 32, (b) => b.write("q", 0, "latin1")),
    expected: /^\/etc\/passwd name: nothing$/u,
  },
  {
    name: "a directory entry's length",
    mkfs: without,
    damage: (image, { block }) => patch(image, block("/etc") + 28, (b) => b.writeUInt16LE(2000, 0)),
    expected: /^\/etc names: directory \d+, file block 0: the entry at byte 24 reaches out of its block$/u,
  },
  {
    name: "a directory entry without a length",
    mkfs: without,
    damage: (image, { block }) => patch(image, block("/etc") + 28, (b) => b.writeUInt16LE(0, 0)),
    expected: /^\/etc names: .* has an impossible length, 0$/u,
  },
  {
    name: "a directory entry's type",
    mkfs: without,
    damage: (image, { block }) => patch(image, block("/etc") + 31, (b) => b.writeUInt8(2, 0)),
    expected: /^\/etc\/passwd type in the directory: directory$/u,
  },
  {
    name: "a directory entry's inode",
    mkfs: without,
    damage: (image, { block }) => patch(image, block("/etc") + 24, (b) => b.writeUInt32LE(0x7fffffff, 0)),
    expected: /^\/etc names: .*: a name leads to inode 2147483647 of \d+$/u,
  },
  {
    name: "a directory's dot",
    mkfs: without,
    damage: (image, { block }) => patch(image, block("/etc"), (b) => b.writeUInt32LE(2, 0)),
    expected: /^\/etc names: .*its first entry is not \.$/u,
  },
  {
    name: "an xattr in the inode",
    mkfs: without,
    damage: (image, { inode }) => patch(image, inode("/etc/passwd") + 250, flip),
    expected: /^\/etc\/passwd xattr user\.inside: 0x/u,
  },
  {
    name: "an xattr block, checksums",
    mkfs: withChecksums,
    damage: (image, { xattrBlock }) => patch(image, xattrBlock("/attributes") + 1000, flip),
    expected: /^\/attributes xattrs: inode \d+, block \d+: the checksum of the xattr block differs$/u,
  },
  {
    name: "an xattr block",
    mkfs: without,
    damage: (image, { xattrBlock }) => patch(image, xattrBlock("/attributes") + 1000, flip),
    expected: /^\/attributes xattr user\.large: 0x/u,
  },
  {
    name: "an xattr block that is none",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/attributes") + inodeField.xattrBlock, (b) => b.writeUInt32LE(3, 0)),
    expected: /^\/attributes xattrs: inode \d+, block 3: the xattr block has no valid header$/u,
  },
  {
    name: "an xattr block past the end",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/attributes") + inodeField.xattrBlock, (b) => b.writeUInt32LE(0xfffffff0, 0)),
    expected: /^\/attributes xattrs: .*: the block lies outside of the file system$/u,
  },
  {
    name: "a file's data",
    mkfs: withChecksums,
    damage: (image, { block }) => patch(image, block("/etc/passwd", 2) + 17, flip),
    expected: /^\/etc\/passwd content: sha256:/u,
  },
  {
    name: "a link's target",
    mkfs: withChecksums,
    damage: (image, { block }) => patch(image, block("/link") + 3, flip),
    expected: /^\/link target: a\/tqrget\/of/u,
  },
  {
    name: "a file's size",
    mkfs: without,
    damage: (image, { inode }) => patch(image, inode("/etc/passwd") + inodeField.size, flip),
    expected: /^\/etc\/passwd size: 2984$/u,
  },
  {
    name: "the depth of an extent tree",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/deep") + inodeField.blockArea + 6, (b) => b.writeUInt16LE(6, 0)),
    expected: /^\/deep content: inode \d+: the extent tree is 6 deep, more than 5$/u,
  },
  {
    name: "an extent tree that contains itself",
    mkfs: without,
    // The first index entry leads to the second's leaf, whose extents are out of its range.
    damage: (image, { inode }) => {
      const at = inode("/deep") + inodeField.blockArea;
      const second = Buffer.alloc(4);
      patch(image, at + 12 + 12 + 4, (b) => void b.copy(second));
      patch(image, at + 12 + 4, (b) => void second.copy(b));
    },
    expected: /^\/deep content: inode \d+, block \d+: extents are out of order/u,
  },
  {
    name: "an extent past the end",
    mkfs: without,
    damage: (image, { inode }) =>
      patch(image, inode("/etc/passwd") + inodeField.blockArea + 12 + 8, (b) =>
        b.writeUInt32LE(0x00ffffff, 0),
      ),
    expected: /^\/etc\/passwd content: .*lies outside of the file system$/u,
  },
  {
    name: "a block map that contains itself",
    mkfs: withBlockMaps,
    damage: (image, { inode }) => {
      const at = inode("/deep") + inodeField.blockArea;
      const single = Buffer.alloc(4);
      patch(image, at + 12 * 4, (b) => void b.copy(single));
      patch(image, at + 13 * 4, (b) => void single.copy(b));
    },
    expected: /^\/deep content: inode \d+: the block map uses block \d+ twice$/u,
  },
];

for (const { name, mkfs, damage, expected } of cases) {
  test(`a change of ${name} is found and named`, () => {
    using scratch = new Scratch();
    const path = makeImage(scratch, built, { mkfs });
    {
      using sound = Ext4Image.open(path);
      assert.deepEqual(runThrough(compareTree(sound, built.tree, { depth: "full" })).differences, []);
    }
    damage(path, placesOf(path));
    using image = Ext4Image.open(path);
    const { differences } = runThrough(compareTree(image, built.tree, { depth: "full" }));
    const [first] = differences;
    assert.match(`${first?.path} ${first?.field}: ${first?.found}`, expected);
  });
}

/** Offsets in the superblock, and what is wrong with the value. */
const superblocks: readonly (readonly [string, number, (b: Buffer) => void, readonly string[], RegExp])[] = [
  ["magic number", 0x38, flip, withChecksums, /magic/u],
  ["free blocks, checksums", 0x0c, flip, withChecksums, /checksum/u],
  ["block size", 0x18, (b) => b.writeUInt32LE(9, 0), without, /more than 64 KiB/u],
  ["block count", 0x04, (b) => b.writeUInt32LE(0x7fffffff, 0), without, /more blocks than the image/u],
  ["inode count", 0x00, flip, without, /inode count/u],
  ["blocks per group", 0x20, (b) => b.writeUInt32LE(0, 0), without, /no blocks/u],
  ["inodes per group", 0x28, (b) => b.writeUInt32LE(0, 0), without, /number of inodes/u],
  ["inode size", 0x58, (b) => b.writeUInt16LE(200, 0), without, /inode size/u],
  ["first inode", 0x54, (b) => b.writeUInt32LE(3, 0), without, /first inode/u],
  ["first data block", 0x14, (b) => b.writeUInt32LE(9, 0), without, /first data block/u],
];

for (const [name, offset, change, mkfs, rule] of superblocks) {
  test(`a superblock with a wrong ${name} is refused`, () => {
    using scratch = new Scratch();
    const path = makeImage(scratch, buildTree(dir()), { mkfs });
    patch(path, 1024 + offset, change);
    assert.throws(
      () => Ext4Image.open(path),
      (error) =>
        hasReason(error, "FILESYSTEM_CORRUPT") &&
        error.facts["superblock"] === "primary" &&
        rule.test(error.message),
    );
  });
}

test("features that change the format are refused by name", () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir()), { mkfs: without });
  const copy = scratch.file("copy");
  for (const [bit, name] of [
    [0x4, /needs_recovery/u],
    [0x8, /journalDevice/u],
    [0x10000, /encryption/u],
    [0x20000, /caseFolding/u],
    [0x80000, /0x80000/u],
  ] as const) {
    copyFileSync(path, copy);
    patch(copy, 1024 + 0x60, (b) => void b.writeUInt32LE(b.readUInt32LE(0) | bit, 0));
    assert.throws(
      () => Ext4Image.open(copy),
      (error) => hasReason(error, "NOT_IMPLEMENTED") && name.test(error.message),
    );
  }
});

test("a group descriptor with a wrong checksum, or an inode table elsewhere, is refused", () => {
  using scratch = new Scratch();
  for (const [mkfs, rule] of [
    [withChecksums, /block group 0: the checksum/u],
    [without, /block group 0: the inode table lies outside/u],
    [["-b", "1024", "-O", "^metadata_csum,uninit_bg,^64bit"], /block group 0: the checksum/u],
  ] as const) {
    const path = makeImage(scratch, buildTree(dir()), { mkfs });
    patch(path, 2 * blockSize + 8, (b) => b.writeUInt32LE(0x7fffffff, 0));
    using image = Ext4Image.open(path);
    assert.throws(
      () => image.inode(2),
      (error) => hasReason(error, "FILESYSTEM_CORRUPT") && rule.test(error.message),
    );
  }
});

test("an image that was cut off is refused", () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir()));
  truncateSync(path, 10 << 20);
  assert.throws(
    () => Ext4Image.open(path),
    (error) => hasReason(error, "FILESYSTEM_CORRUPT"),
  );
  truncateSync(path, 100);
  assert.throws(
    () => Ext4Image.open(path),
    (error) => hasReason(error, "FILESYSTEM_CORRUPT"),
  );
  truncateSync(path, 0);
  assert.throws(
    () => Ext4Image.open(path),
    (error) => hasReason(error, "FILESYSTEM_CORRUPT"),
  );
});

test("what is no file is an error of ours, too", () => {
  using scratch = new Scratch();
  assert.throws(
    () => Ext4Image.open(scratch.file("nothing")),
    (error) => hasReason(error, "FILESYSTEM_ERROR"),
  );
  assert.throws(() => Ext4Image.open(scratch.path), BangerError);
});
