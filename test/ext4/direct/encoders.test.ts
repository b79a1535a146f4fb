import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setBits } from "../../../src/ext4/direct/bitmap.ts";
import { encodeDevice } from "../../../src/ext4/direct/device-number.ts";
import { extentTreeBlocks } from "../../../src/ext4/direct/extent-tree.ts";
import { encodeGroupDescriptor } from "../../../src/ext4/direct/group-descriptor.ts";
import { hashTreeNodes, maxLeaves } from "../../../src/ext4/direct/hash-tree.ts";
import { encodeInode } from "../../../src/ext4/direct/inode.ts";
import { encodeJournal } from "../../../src/ext4/direct/journal.ts";
import { NameHasher } from "../../../src/ext4/direct/name-hash.ts";
import { encodeAcl } from "../../../src/ext4/direct/posix-acl.ts";
import {
  checksumSeed,
  encodeSuperblock,
  type SuperblockFields,
} from "../../../src/ext4/direct/superblock.ts";
import { placeXattrs, sealXattrBlock } from "../../../src/ext4/direct/xattr.ts";
import { decodeDevice } from "../../../src/ext4/read/device-number.ts";
import { parseGroupDescriptor } from "../../../src/ext4/read/group-descriptor.ts";
import { parseInode } from "../../../src/ext4/read/inode.ts";
import { decodeAcl } from "../../../src/ext4/read/posix-acl.ts";
import { parseSuperblock } from "../../../src/ext4/read/superblock.ts";
import { parseBodyXattrs, parseXattrBlock } from "../../../src/ext4/read/xattr.ts";
import { buildAll, inputFor, workFolder } from "../build-rig.ts";
import { Scratch, program } from "../image-maker.ts";
import { accessAcl, noise, sampleTree } from "../sample-tree.ts";
import { bytesOf } from "../tree-layers.ts";
import { hashSeed, uuid, writeImage } from "./write-image.ts";

const raw = (text: string): Buffer => Buffer.from(text.replaceAll("-", ""), "hex");

const fields: SuperblockFields = {
  blocks: 100_000,
  freeBlocks: 4_000,
  inodes: 4 * 6400,
  freeInodes: 77,
  inodesPerGroup: 6400,
  reservedDescriptorBlocks: 48,
  uuid: raw(uuid),
  hashSeed: raw(hashSeed),
  time: 1_600_000_000,
  journalMap: Buffer.alloc(60, 7),
  journalBytes: 4 * 1024 * 1024,
};

function superblock() {
  return parseSuperblock(encodeSuperblock(fields, 0), 100_000 * 4096);
}

test("the superblock, as the reader has it", () => {
  const found = superblock();
  const expected = {
    blockSize: 4096,
    blockCount: 100_000,
    freeBlocks: 4_000,
    inodeCount: 25_600,
    freeInodes: 77,
    firstDataBlock: 0,
    blocksPerGroup: 32_768,
    inodesPerGroup: 6400,
    groupCount: 4,
    inodeSize: 256,
    firstInode: 11,
    descriptorSize: 64,
    uuid,
    hashSeed,
    hashVersion: 1,
    compat: 0x3c,
    incompat: 0x2c2,
    roCompat: 0x46b,
    checksumSeed: checksumSeed(raw(uuid)),
  };
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual(new Map(Object.entries(found)).get(key), value, key);
  }
});

test("dumpe2fs says of the superblock what it says of mke2fs's, but for what must differ", async () => {
  await using folder = workFolder();
  using scratch = new Scratch();
  const input = await inputFor(sampleTree(), folder.path);
  await buildAll(input);
  const path = scratch.file("direct.ext4");
  writeImage(sampleTree(), path);
  // Our times are the tree's; hashes take bytes as unsigned on every machine; checksum and what is free follow.
  const differ =
    /^(?:Filesystem created|Last write time|Last checked|Filesystem flags|Checksum|Free blocks|Free inodes|Overhead.*|Lifetime writes|Journal checksum.*): /u;
  const lines = (image: string): readonly string[] =>
    program("dumpe2fs", ["-h", image])
      .split("\n")
      .filter((line) => line !== "" && !differ.test(line));
  const theirs = lines(input.target);
  assert.ok(theirs.length > 30);
  assert.deepEqual(lines(path), theirs);
});

test("every group is where mke2fs has it", async () => {
  await using folder = workFolder();
  using scratch = new Scratch();
  const sizeBytes = 20 * 1024 ** 3;
  const input = await inputFor(sampleTree(), folder.path, { sizeBytes });
  await buildAll(input);
  const path = scratch.file("direct.ext4");
  writeImage(sampleTree(), path, { sizeBytes });
  // Copies of the superblock, and the bounds of groups. mke2fs puts tables elsewhere where a copy is in their way.
  const lines = (image: string): readonly string[] =>
    program("dumpe2fs", [image])
      .split("\n")
      .filter((line) => /^Group|superblock at/u.test(line))
      .map((line) => line.replace(/ csum 0x[0-9a-f]+| \[.*\]/gu, ""));
  const theirs = lines(input.target);
  assert.ok(theirs.length > 160);
  assert.deepEqual(lines(path), theirs);
});

test("group descriptors, with numbers in both halves", () => {
  const sb = superblock();
  const out = Buffer.alloc(128);
  const descriptor = {
    blockBitmap: 33,
    inodeBitmap: 49,
    inodeTable: 65,
    freeBlocks: 0x7fff,
    freeInodes: 6400,
    usedDirs: 5,
    unusedInodes: 6400,
    flags: 5,
    blockBitmapChecksum: 0x12345678,
    inodeBitmapChecksum: 0x9abcdef0,
  };
  encodeGroupDescriptor(out, 64, 3, descriptor, sb.checksumSeed ?? 0);
  assert.equal(parseGroupDescriptor(out.subarray(64), 3, sb).inodeTable, 65);
  assert.throws(() => parseGroupDescriptor(out.subarray(64), 2, sb), /checksum/u);
  assert.deepEqual(
    [0x18, 0x38, 0x1a, 0x3a].map((at) => out.readUInt16LE(64 + at)),
    [0x5678, 0x1234, 0xdef0, 0x9abc],
  );
  assert.ok(out.subarray(0, 64).every((byte) => byte === 0));
});

test("inodes, at both ends of every field", () => {
  const sb = superblock();
  const cases = [
    {
      mode: 0o107777,
      uid: 4_294_967_295,
      gid: 65_536,
      size: 2 ** 44 - 4096,
      links: 65_000,
      blocks: 2 ** 32,
      seconds: 15_032_385_535,
      nanoseconds: 999_999_999,
    },
    { mode: 0o100000, uid: 0, gid: 0, size: 0, links: 1, blocks: 0, seconds: -(2 ** 31), nanoseconds: 0 },
    {
      mode: 0o100644,
      uid: 65_535,
      gid: 1,
      size: 2 ** 32,
      links: 2,
      blocks: 2 ** 29,
      seconds: -1,
      nanoseconds: 1,
    },
    { mode: 0o100644, uid: 1, gid: 2, size: 1, links: 1, blocks: 1, seconds: 2 ** 31, nanoseconds: 5 },
    {
      mode: 0o100644,
      uid: 1,
      gid: 2,
      size: 1,
      links: 1,
      blocks: 1,
      seconds: 2 ** 32 + 2 ** 31 - 1,
      nanoseconds: 5,
    },
  ];
  for (const { seconds, nanoseconds, ...some } of cases) {
    const time = { seconds, nanoseconds };
    const out = Buffer.alloc(512);
    encodeInode(
      out,
      256,
      12,
      { ...some, flags: 0x80000, xattrBlock: 4_000_000_000, time },
      sb.checksumSeed ?? 0,
      false,
    );
    const found = parseInode(out.subarray(256), 12, sb);
    const { mode, uid, gid, size, linkCount, mtime, atime, ctime, crtime, xattrBlock, blocks } = found;
    assert.deepEqual({ mode: mode | 0o100000, uid, gid, size, links: linkCount, blocks: blocks / 8 }, some);
    assert.deepEqual([mtime, atime, ctime, crtime], [time, time, time, time]);
    assert.equal(xattrBlock, 4_000_000_000);
    assert.throws(() => parseInode(out.subarray(256), 13, sb), /checksum/u);
  }
});

test("device numbers go into the old encoding as long as they fit", () => {
  for (const [major, minor, old] of [
    [0, 0, true],
    [1, 3, true],
    [255, 255, true],
    [256, 0, false],
    [0, 256, false],
    [4095, 1_048_575, false],
  ] as const) {
    const out = Buffer.alloc(60);
    encodeDevice(out, 0, { major, minor });
    assert.deepEqual(decodeDevice(out), { major, minor });
    assert.equal(out.readUInt32LE(4) === 0, old, `${major}:${minor}`);
  }
});

test("an ACL, and back", () => {
  assert.deepEqual(decodeAcl(encodeAcl(accessAcl), { inode: 1 }), accessAcl);
  assert.equal(encodeAcl(accessAcl).length, 4 + 4 * 4 + 8);
});

test("xattrs go into the inode as long as they fit, then into a block", () => {
  const xattr = (name: string, length: number) => ({ name: bytesOf(name), value: noise(length, name) });
  const cases: readonly (readonly [ReturnType<typeof xattr>[], inInode: number, inBlock: number])[] = [
    [[xattr("user.a", 68)], 1, 0],
    [[xattr("user.a", 69)], 0, 1],
    [
      [xattr("user.a", 0), xattr("user.b", 0), xattr("user.c", 0), xattr("user.d", 0), xattr("user.e", 0)],
      4,
      1,
    ],
    [[xattr("security.z", 3000), xattr("user.a", 1), xattr("user.bb", 900)], 1, 2],
    [[xattr("trusted.t", 4), xattr("user.\xff\x80", 200)], 1, 1],
  ];
  const sb = superblock();
  for (const [xattrs, inInode, inBlock] of cases) {
    const placed = placeXattrs(xattrs);
    const body = placed.inInode === undefined ? [] : parseBodyXattrs(placed.inInode, { inode: 1 });
    if (placed.block !== undefined) sealXattrBlock(placed.block, 99, 3, sb.checksumSeed ?? 0);
    const block = placed.block === undefined ? [] : parseXattrBlock(placed.block, 99, sb, { block: 99 });
    assert.deepEqual([body.length, block.length], [inInode, inBlock]);
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
    assert.deepEqual([...body, ...block].sort(byName), xattrs.toSorted(byName));
    assert.equal(placed.block?.readUInt32LE(4) ?? 3, 3);
  }
  assert.throws(() => placeXattrs([xattr("user.a", 4090)]), /more xattrs/u);
  assert.throws(() => placeXattrs([xattr("system.other", 4)]), /no xattr/u);
});

test("names hash as debugfs and so e2fsck has it", () => {
  const hasher = new NameHasher(raw(hashSeed));
  const unseeded = new NameHasher(Buffer.alloc(16));
  for (const length of [1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 128, 254, 255]) {
    const name = noise(length, "name").toString("hex").slice(0, length);
    for (const [of, seed] of [
      [hasher, ["-s", hashSeed]],
      [unseeded, []],
    ] as const) {
      const said = program("debugfs", ["-R", ["dx_hash", "-h", "half_md4", ...seed, name].join(" ")]);
      const hash = of.hash(bytesOf(name));
      assert.equal(
        said.trim(),
        `Hash of ${name} is 0x${hash.toString(16)} (minor 0x${of.minor.toString(16)})`,
      );
    }
  }
});

test("how many blocks trees take", () => {
  const extents = [
    [0, 0],
    [4, 0],
    [5, 1],
    [340, 1],
    [341, 2],
    [1360, 4],
    [1361, 6],
    [462_400, 1364],
    [462_401, 1367],
  ] as const;
  for (const [count, blocks] of extents) assert.equal(extentTreeBlocks(count), blocks, `${count} extents`);
  const leaves = [
    [2, 0],
    [507, 0],
    [508, 1],
    [510, 1],
    [511, 2],
    [maxLeaves, 507],
  ] as const;
  for (const [count, blocks] of leaves) assert.equal(hashTreeNodes(count), blocks, `${count} leaves`);
});

test("bits of a bitmap", () => {
  for (const [from, to] of [
    [0, 0],
    [0, 1],
    [3, 5],
    [7, 9],
    [8, 16],
    [5, 40],
    [0, 64],
    [63, 64],
  ] as const) {
    const out = Buffer.alloc(8);
    setBits(out, from, to);
    const bits = Array.from({ length: 64 }, (_, i) => (out.readUInt8(i >>> 3) >>> (i & 7)) & 1);
    assert.deepEqual(
      bits,
      bits.map((_, i) => (i >= from && i < to ? 1 : 0)),
      `${from} to ${to}`,
    );
  }
});

test("the journal's superblock is byte for byte mke2fs's", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  await buildAll(input);
  const block = Number(/^\(0[^:]*\):(\d+)/mu.exec(program("debugfs", ["-R", "stat <8>", input.target]))?.[1]);
  const theirs = readFileSync(input.target).subarray(block * 4096, block * 4096 + 4096);
  const ours = Buffer.alloc(4096);
  encodeJournal(ours, 1024, raw(uuid));
  assert.deepEqual(ours, theirs);
});
