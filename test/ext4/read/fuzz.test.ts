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
const rounds = 700;
const maxRead = 64 * 1024;

/** Little content and much metadata, so that most bytes which are not zero mean something. */
const built = buildTree(
  dir({
    deep: sparse(
      1200 * blockSize,
      Array.from({ length: 400 }, (_, i) => ({ offset: 3 * i * blockSize, bytes: Buffer.from("x") })),
    ),
    many: dir(Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`${i}-${"n".repeat(i)}`, file("")]))),
    attributes: file("", {
      xattrs: { "user.large": noise(300), "user.small": "s", "system.posix_acl_access": accessAcl },
    }),
    "long link": link("l/".repeat(200)),
    link: link("long link/x"),
    device: device("block", 8, 1),
    a: dir({ b: dir({ c: dir({ d: file("end") }) }) }),
  }),
);

/** One change of the image: some bytes, or a whole block, at one of its positions that mean something. */
type Mutation =
  | { readonly at: number; readonly bytes: number }
  | { readonly at: number; readonly block: number };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ at: fc.nat(), bytes: fc.oneof(fc.constantFrom(0, 1, 2, 0xff, 0x7f, 0x80), fc.nat(255)) }),
  fc.record({ at: fc.nat(), block: fc.nat() }),
);

/** Does everything that a caller may do. Whatever throws must be a BangerError; every count must be bounded. */
function useAll(path: string): void {
  attempt(() => {
    using image = Ext4Image.open(path);
    const { inodeCount, blockCount } = image.superblock;
    for (let number = 1; number <= Math.min(inodeCount, 200); number++)
      attempt(() => useInode(image, number, blockCount));
    for (const name of ["/link", "/a/b/c/d", "/many/../a"]) {
      attempt(() => resolvePath(image, utf8Bytes(name), { followLast: true }));
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
    const meaningful = [...sound.keys()].filter((at) => at >= 1024 && sound[at] !== 0);
    const meaningfulBlocks = [...new Set(meaningful.map((at) => Math.floor(at / blockSize)))];
    const fd = openSync(path, "r+");
    const apply = (change: Mutation): number => {
      if ("bytes" in change) {
        const at = meaningful[change.at % meaningful.length] ?? 0;
        writeSync(fd, Buffer.from([change.bytes]), 0, 1, at);
        return at;
      }
      const to = (meaningfulBlocks[change.at % meaningfulBlocks.length] ?? 0) * blockSize;
      const from = (meaningfulBlocks[change.block % meaningfulBlocks.length] ?? 0) * blockSize;
      writeSync(fd, sound, from, blockSize, to);
      return to;
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
