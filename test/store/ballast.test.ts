import assert from "node:assert/strict";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { ballastFor, giveUpBallast, keepBallast } from "../../src/store/ballast.ts";

test("what is kept takes room for real, is given up once, and made again", async () => {
  await using folder = await makeTempDir("banger-ballast-");
  assert.equal(await giveUpBallast(folder.path), false);
  for (let turn = 0; turn < 2; turn++) {
    await keepBallast(folder.path);
    const path = join(folder.path, "daemon.ballast");
    const { ino, size, blocks, mode } = await stat(path);
    assert.deepEqual([size, mode & 0o777], [1024 * 1024, 0o600]);
    assert.ok(blocks * 512 >= size);
    await keepBallast(folder.path);
    assert.equal((await stat(path)).ino, ino, "one that is there is left alone");
    assert.equal(await giveUpBallast(folder.path), true);
    assert.deepEqual(await readdir(folder.path), []);
  }
});

test("one that was cut short is made anew", async () => {
  await using folder = await makeTempDir("banger-ballast-");
  const path = join(folder.path, "daemon.ballast");
  await writeFile(path, "cut");
  await keepBallast(folder.path);
  assert.equal((await stat(path)).size, 1024 * 1024);
});

test("little is kept of little, and nothing of next to nothing", () => {
  const kib = 1024;
  for (const [free, kept] of [
    [0, 0],
    [511, 0],
    [512, 256],
    [4095, 256],
    [4096, 1024],
    [4096 * 1024, 1024],
  ] as const)
    assert.equal(ballastFor(free * kib), kept * kib, `of ${free} KiB`);
});

test("what is less than there is room for grows, and what is more stays", async () => {
  await using folder = await makeTempDir("banger-ballast-");
  const path = join(folder.path, "daemon.ballast");
  await writeFile(path, Buffer.alloc(256 * 1024));
  await keepBallast(folder.path);
  assert.equal((await stat(path)).size, 1024 * 1024);
  await writeFile(path, Buffer.alloc(2 * 1024 * 1024));
  await keepBallast(folder.path);
  assert.equal((await stat(path)).size, 2 * 1024 * 1024);
});
