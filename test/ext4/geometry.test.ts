import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { runThrough } from "../../src/base/slices.ts";
import { mkfsArguments } from "../../src/ext4/e2fsprogs/mkfs.ts";
import {
  blockBytes,
  chooseGeometry,
  directoryEntryBytes,
  expansionBlocks,
  metadataBlocks,
  spaceNeeds,
  type Geometry,
} from "../../src/ext4/geometry.ts";
import { workFolder } from "./build-rig.ts";
import { noise } from "./sample-tree.ts";
import { buildTree, device, dir, file, link, sparse, type Described } from "./tree-builder.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

function needs(children: Readonly<Record<string, Described>>): { blocks: number; inodes: number } {
  return runThrough(spaceNeeds(buildTree(dir(children)).tree));
}

function refusal(action: () => unknown): { reason: string; facts: Readonly<Record<string, string>> } {
  try {
    action();
  } catch (error) {
    if (hasReason(error, "SIZE_INVALID", "SIZE_TOO_SMALL")) return error;
    throw error;
  }
  return assert.fail("it was not refused");
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

test("without a size, there is room to live in, in whole MiB", () => {
  for (const blocks of [1, 1000, 100_000, 3_000_000]) {
    const geometry = chooseGeometry({ blocks, inodes: 1000 }, { sizeBytes: undefined, reserveBytes: 0 });
    const free = geometry.blocks - blocks - metadataBlocks(geometry);
    assert.ok(free * blockBytes >= 64 * MiB && free >= blocks / 5, `${blocks}: ${free} free`);
    assert.equal(geometry.sizeBytes % MiB, 0);
    assert.equal(geometry.sizeBytes, geometry.blocks * blockBytes);
    assert.ok(geometry.inodes >= 2000);
    const reserved = chooseGeometry(
      { blocks, inodes: 1000 },
      { sizeBytes: undefined, reserveBytes: 300 * MiB },
    );
    assert.ok(reserved.sizeBytes >= geometry.sizeBytes + 300 * MiB);
  }
});

test("many tiny files need groups enough for their inodes", () => {
  const geometry = chooseGeometry(
    { blocks: 10, inodes: 1_000_000 },
    { sizeBytes: undefined, reserveBytes: 0 },
  );
  assert.ok(geometry.inodes / Math.ceil(geometry.blocks / 32_768) <= 32_768);
});

test("sizes that make no sense are refused", () => {
  for (const sizeBytes of [0, -1, 1.5, Number.NaN, Infinity, 4095, 2 ** 53, 2 ** 45]) {
    const { reason } = refusal(() =>
      chooseGeometry({ blocks: 1, inodes: 1 }, { sizeBytes, reserveBytes: 0 }),
    );
    assert.equal(reason, "SIZE_INVALID", String(sizeBytes));
  }
});

test("a size that is too small names the least that is not", () => {
  for (const blocks of [10, 30_000, 40_000, 1_000_000]) {
    const tree = { blocks, inodes: blocks };
    const asked = { sizeBytes: blockBytes * blocks, reserveBytes: 10 * MiB };
    const { reason, facts } = refusal(() => chooseGeometry(tree, asked));
    assert.equal(reason, "SIZE_TOO_SMALL");
    const minimum = Number(facts["minimumBytes"]);
    assert.ok(chooseGeometry(tree, { ...asked, sizeBytes: minimum }).sizeBytes <= minimum);
    const { facts: again } = refusal(() => chooseGeometry(tree, { ...asked, sizeBytes: minimum - MiB }));
    assert.equal(Number(again["minimumBytes"]), minimum);
  }
});

/** Fields of `dumpe2fs -h`. */
function superblock(image: string): (field: string) => number {
  const text = execFileSync("dumpe2fs", ["-h", image], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
  });
  return (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "mu").exec(text)?.[1]);
}

test("mke2fs uses what is reckoned, and hardly less", async () => {
  await using folder = workFolder();
  const staging = join(folder.path, "empty");
  execFileSync("mkdir", [staging]);
  const sizes = [12, 64, 127, 128, 129, 130, 257, 1023, 1024, 1025, 2049, 4096, 4097, 17_000, 40_001];
  for (const mib of sizes) {
    for (const inodes of [1, 20_000, 400_000]) {
      const sizeBytes = mib * MiB + (mib % 2) * 8192;
      let geometry: Geometry;
      try {
        geometry = chooseGeometry({ blocks: 1, inodes }, { sizeBytes, reserveBytes: 0 });
      } catch (error) {
        if (hasReason(error, "SIZE_TOO_SMALL")) continue;
        throw error;
      }
      const target = join(folder.path, "image");
      writeFileSync(target, "");
      truncateSync(target, geometry.sizeBytes);
      const uuid = "01234567-89ab-cdef-0123-456789abcdef";
      const input = { target, staging, tempDir: folder.path, geometry, uuid, hashSeed: uuid };
      execFileSync("/usr/sbin/mkfs.ext4", mkfsArguments(input), { stdio: ["ignore", "ignore", "ignore"] });
      const value = superblock(target);
      const what = `${mib} MiB, ${inodes} inodes`;
      assert.equal(value("Block count"), geometry.blocks, what);
      assert.ok(value("Inode count") >= geometry.inodes, what);
      const used = value("Block count") - value("Free blocks");
      // The root directory's block is the tree's, not the file system's.
      const reckoned = metadataBlocks(geometry) + 1;
      assert.ok(used <= reckoned, `${what}: ${used} used, ${reckoned} reckoned`);
      assert.ok(reckoned - used <= 8, `${what}: ${used} used, ${reckoned} reckoned`);
    }
  }
});
