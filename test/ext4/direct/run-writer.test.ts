import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../../src/base/error.ts";
import { makeTempDir } from "../../../src/base/files.ts";
import type { PackedRuns } from "../../../src/ext4/direct/content-runs.ts";
import { GatheredWrites } from "../../../src/ext4/direct/gathered-writes.ts";
import { RunWriter } from "../../../src/ext4/direct/run-writer.ts";
import { noise } from "../sample-tree.ts";
import { emptyImage, packed } from "./content-rig.ts";

const stream = noise(100_000);
const size = 400_000;

async function written(runs: PackedRuns, pieceBytes: number, from: Buffer = stream): Promise<Buffer> {
  await using folder = await makeTempDir("banger-test-");
  const image = emptyImage(join(folder.path, "image"), size);
  const fd = openSync(image, "r+");
  try {
    const writer = new RunWriter(runs, new GatheredWrites(fd));
    for (let at = 0; at < from.length; at += pieceBytes) writer.take(from.subarray(at, at + pieceBytes));
    writer.end();
    return readFileSync(image);
  } finally {
    closeSync(fd);
  }
}

function expectedOf(runs: PackedRuns): Buffer {
  const image = Buffer.alloc(size);
  for (let at = 0; at < runs.length; at += 3) {
    const [source = 0, target = 0, bytes = 0] = runs.subarray(at, at + 3);
    stream.copy(image, target, source, source + bytes);
  }
  return image;
}

const layouts: readonly [what: string, runs: PackedRuns][] = [
  ["no run", packed()],
  ["the whole stream", packed([0, 4096, 100_000])],
  ["the first and the last byte", packed([0, 0, 1], [99_999, 4096, 1])],
  ["runs that touch each other", packed([512, 8192, 4096], [4608, 200_704, 4096], [8704, 0, 100])],
  [
    "runs with other bytes between",
    packed([1000, 4096, 9000], [20_000, 16_384, 40_000], [90_000, 65_536, 5]),
  ],
];

for (const [what, runs] of layouts) {
  for (const pieceBytes of [1, 511, 4096, 100_000]) {
    test(`${what}, in pieces of ${pieceBytes}`, async () => {
      assert.ok((await written(runs, pieceBytes)).equals(expectedOf(runs)));
    });
  }
}

test("a stream that ends too early is not what was scanned", async () => {
  const runs = packed([0, 0, 10], [99_000, 4096, 1000]);
  await assert.rejects(written(runs, 4096, stream.subarray(0, 99_500)), (error) =>
    hasReason(error, "LAYER_INVALID"),
  );
});

test("runs that overlap are a defect of the plan", async () => {
  const runs = packed([0, 0, 100], [99, 4096, 100]);
  await assert.rejects(written(runs, 4096), (error) => hasReason(error, "INTERNAL"));
});
