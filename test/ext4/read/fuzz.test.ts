import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { BangerError } from "../../../src/base/error.ts";
import { utf8Bytes } from "../../../src/base/bytes.ts";
import { runThrough } from "../../../src/base/slices.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { resolvePath } from "../../../src/ext4/read/path.ts";
import { compareTree } from "../../../src/ext4/verify.ts";
import { makeImage, program, Scratch } from "../image-maker.ts";
import { accessAcl, noise } from "../sample-tree.ts";
import { buildTree, device, dir, file, link, sparse } from "../tree-builder.ts";

const blockSize = 1024;
const rounds = 1500;
const maxRead = 64 * 1024;

/** Little content, few inodes and much structure, so that most changes are of something that means something. */
const shared = file("many names");
const built = buildTree(
  dir({
    deep: sparse(
      1200 * blockSize,
      Array.from({ length: 400 }, (_, i) => ({ offset: 3 * i * blockSize, bytes: Buffer.from("x") })),
    ),
    many: dir(Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`${i}-${"n".repeat(i)}`, shared]))),
    attributes: file("", {
      xattrs: { "user.large": noise(300), "user.small": "s", "system.posix_acl_access": accessAcl },
    }),
    inside: file("", { xattrs: { "user.a": "b", "security.c": "d" } }),
    "long link": link("l/".repeat(200)),
    link: link("long link/x"),
    device: device("block", 8, 1),
    a: dir({ b: dir({ c: dir({ d: file("end") }) }) }),
  }),
);
const names = [
  "/deep",
  "/many",
  "/attributes",
  "/inside",
  "/long link",
  "/link",
  "/device",
  "/a",
  "/a/b/c/d",
  "/",
];

/** Writes a number of 1, 2 or 4 bytes at a target, or copies one block over another. */
type Mutation =
  | { readonly target: number; readonly width: number; readonly value: number }
  | { readonly target: number; readonly from: number };

const edges = [0, 1, 2, 4, 12, 60, 64, 84, 128, 255, 4096, 32_768, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      target: fc.nat(),
      width: fc.constantFrom(1, 2, 4),
      value: fc.oneof(fc.constantFrom(...edges), fc.nat(4096), fc.nat()),
    }),
  },
  { weight: 1, arbitrary: fc.record({ target: fc.nat(), from: fc.nat() }) },
);

/** Positions to change: superblock and descriptors, the inodes, how each block begins, and any byte that is not zero. */
function targetsOf(path: string, sound: Buffer): number[] {
  const range = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i);
  const inodes = names.flatMap((name) => {
    const said = program("debugfs", ["-R", `imap "${name}"`, path]);
    const [, block, offset] = /located at block (\d+), offset 0x(\w+)/u.exec(said) ?? assert.fail(said);
    return range(Number(block) * blockSize + Number.parseInt(offset ?? "", 16), 256);
  });
  const nonZero = [...sound.keys()].filter((at) => at >= 2048 && sound[at] !== 0);
  const blocks = [...new Set(nonZero.map((at) => at - (at % blockSize)))];
  const headers = blocks.flatMap((at) => range(at, 40));
  const some = nonZero.filter((_, i) => i % 10 === 0);
  return [...range(1024, 0x180), ...range(2048, 64), ...inodes, ...headers, ...some];
}

/** Does everything that a caller may do. Whatever throws must be a BangerError; every count must be bounded. */
function useAll(path: string): void {
  attempt(() => {
    using image = Ext4Image.open(path);
    const { inodeCount, blockCount } = image.superblock;
    for (let number = 1; number <= Math.min(inodeCount, 200); number++)
      attempt(() => useInode(image, number, blockCount));
    for (const name of ["/link", "/a/b/c/d", "/many/../a"]) {
      attempt(() => runThrough(resolvePath(image, utf8Bytes(name), { followLast: true })));
    }
    const report = runThrough(compareTree(image, built.tree, { depth: "metadata", maxDifferences: 20 }));
    assert.ok(report.differences.length <= 20);
  });
}

function useInode(image: Ext4Image, number: number, blockCount: number): void {
  const inode = image.inode(number);
  attempt(() => image.xattrs(inode));
  attempt(() => image.linkTarget(inode));
  attempt(() => {
    let entries = 0;
    for (const _ of image.entries(inode)) entries++;
    assert.ok(entries <= (blockCount * image.superblock.blockSize) / 12);
  });
  attempt(() => {
    let blocks = 0;
    for (const { length } of image.extents(inode)) blocks += length;
    assert.ok(blocks <= blockCount);
    image.read(inode, 0, maxRead);
    image.read(inode, Math.max(0, inode.size - maxRead), maxRead);
  });
}

function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BangerError)) throw error;
    // INTERNAL is what an unforeseen error becomes.
    assert.notEqual(error.reason, "INTERNAL");
  }
}

for (const features of [
  "^has_journal",
  "^has_journal,^metadata_csum",
  "^has_journal,^metadata_csum,^64bit,^extents",
]) {
  test(`any bytes of an image with ${features} give an answer or a BangerError`, { timeout: 300_000 }, () => {
    using scratch = new Scratch();
    const path = makeImage(scratch, built, { sizeMiB: 4, mkfs: ["-b", "1024", "-N", "200", "-O", features] });
    program("e2fsck", ["-fyD", path], [0, 1]);
    const sound = readFileSync(path);
    const targets = targetsOf(path, sound);
    const fd = openSync(path, "r+");
    const apply = (change: Mutation): number => {
      const at = targets[change.target % targets.length] ?? 0;
      if ("from" in change) {
        const from = targets[change.from % targets.length] ?? 0;
        const to = at - (at % blockSize);
        writeSync(fd, sound, from - (from % blockSize), blockSize, to);
        return to;
      }
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(change.value);
      writeSync(fd, bytes, 0, change.width, at);
      return at;
    };
    try {
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (changes) => {
          const changed = changes.map(apply);
          try {
            useAll(path);
          } finally {
            for (const at of changed) writeSync(fd, sound, at, Math.min(blockSize, sound.length - at), at);
          }
        }),
        { seed: 20_261_123, numRuns: rounds },
      );
    } finally {
      closeSync(fd);
    }
  });
}
