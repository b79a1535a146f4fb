import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { mkfsArguments } from "../../src/ext4/e2fsprogs/mkfs.ts";
import { blockBytes, chooseGeometry, metadataBlocks, type Geometry } from "../../src/ext4/geometry.ts";
import { workFolder } from "./build-rig.ts";

const MiB = 1024 * 1024;

function refusal(action: () => unknown): { reason: string; facts: Readonly<Record<string, string>> } {
  try {
    action();
  } catch (error) {
    if (hasReason(error, "SIZE_INVALID", "SIZE_TOO_SMALL")) return error;
    throw error;
  }
  return assert.fail("it was not refused");
}

test("without a size, there is room to live in, in whole MiB", () => {
  for (const blocks of [1, 1000, 100_000, 3_000_000]) {
    const geometry = chooseGeometry({ blocks, inodes: 1000 }, undefined);
    const free = geometry.blocks - blocks - metadataBlocks(geometry);
    assert.ok(free * blockBytes >= 64 * MiB && free >= blocks / 5, `${blocks}: ${free} free`);
    assert.equal(geometry.sizeBytes % MiB, 0);
    assert.equal(geometry.sizeBytes, geometry.blocks * blockBytes);
    assert.ok(geometry.inodes >= 2000);
  }
});

test("many tiny files need groups enough for their inodes", () => {
  const geometry = chooseGeometry({ blocks: 10, inodes: 1_000_000 }, undefined);
  assert.ok(geometry.inodes / Math.ceil(geometry.blocks / 32_768) <= 32_768);
});

test("sizes that make no sense are refused", () => {
  for (const sizeBytes of [0, -1, 1.5, Number.NaN, Infinity, 4095, 2 ** 53, 2 ** 45]) {
    const { reason } = refusal(() => chooseGeometry({ blocks: 1, inodes: 1 }, sizeBytes));
    assert.equal(reason, "SIZE_INVALID", String(sizeBytes));
  }
});

test("a size that is too small names the least that is not", () => {
  for (const blocks of [10, 30_000, 40_000, 1_000_000]) {
    const tree = { blocks, inodes: blocks };
    const { reason, facts } = refusal(() => chooseGeometry(tree, blockBytes * blocks));
    assert.equal(reason, "SIZE_TOO_SMALL");
    const minimum = Number(facts["minimumBytes"]);
    assert.ok(chooseGeometry(tree, minimum).sizeBytes <= minimum);
    const { facts: again } = refusal(() => chooseGeometry(tree, minimum - MiB));
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
        geometry = chooseGeometry({ blocks: 1, inodes }, sizeBytes);
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
