import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempDir } from "../../../src/base/files.ts";
import { GatheredWrites } from "../../../src/ext4/direct/gathered-writes.ts";
import { noise } from "../sample-tree.ts";
import { emptyImage } from "./content-rig.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const size = 12 * MiB;

type Piece = readonly [position: number, bytes: number];

const cases: readonly [what: string, pieces: readonly Piece[]][] = [
  ["nothing", []],
  ["a byte", [[0, 1]]],
  [
    "files of a few bytes in neighbouring blocks",
    [
      [4096, 10],
      [8192, 4095],
      [12_288, 4096],
      [16_384, 1],
    ],
  ],
  [
    "a gap of more than a block",
    [
      [0, 5000],
      [16_384, 5000],
    ],
  ],
  [
    "a gap of exactly a block",
    [
      [0, 4096],
      [8192, 4096],
    ],
  ],
  [
    "pieces of one file",
    [
      [4096, 100],
      [4196, 5000],
      [9296, 200_000],
      [209_296, 7],
    ],
  ],
  [
    "backwards",
    [
      [65_536, 5000],
      [0, 5000],
    ],
  ],
  [
    "more small files than one write takes",
    Array.from({ length: 600 }, (_, i): Piece => [i * 4096, 1 + ((i * 37) % 4096)]),
  ],
  ["just as much as one write takes", [[0, MiB]]],
  [
    "a byte more than one write takes",
    [
      [0, MiB + 1],
      [MiB + 4096, 9],
    ],
  ],
  [
    "one long piece that ends within a block",
    [
      [4096, 3 * MiB + 5],
      [4096 + 3 * MiB + 5, 4000],
    ],
  ],
  [
    "a long piece that begins within a block",
    [
      [1000, 300_000],
      [301_000, 5],
    ],
  ],
  [
    "a long piece behind a short one",
    [
      [0, 10],
      [4096, 2 * MiB],
      [4096 + 2 * MiB, 10],
    ],
  ],
];

for (const [what, pieces] of cases) {
  test(`writes ${what}`, async () => {
    await using folder = await makeTempDir("banger-test-");
    const image = emptyImage(join(folder.path, "image"), size);
    const expected = Buffer.alloc(size);
    const fd = openSync(image, "r+");
    const writes = new GatheredWrites(fd);
    for (const [position, bytes] of pieces) {
      const piece = noise(bytes, String(position));
      piece.copy(expected, position);
      writes.put(piece, position);
      // The piece is the caller's again.
      piece.fill(0xff);
    }
    writes.flush();
    closeSync(fd);
    assert.ok(readFileSync(image).equals(expected));
  });
}

test("zeros take no room on the disk, and read as zeros", async () => {
  await using folder = await makeTempDir("banger-test-");
  const image = emptyImage(join(folder.path, "image"), size);
  const fd = openSync(image, "r+");
  const writes = new GatheredWrites(fd);
  for (let at = 0; at < 8 * MiB; at += MiB) writes.put(Buffer.alloc(MiB), at);
  writes.put(Buffer.from("end"), 8 * MiB);
  writes.flush();
  closeSync(fd);
  assert.ok(statSync(image).blocks * 512 <= 64 * KiB);
  assert.equal(
    readFileSync(image)
      .subarray(8 * MiB, 8 * MiB + 4)
      .toString("latin1"),
    "end\0",
  );
});
