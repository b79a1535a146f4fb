import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { RootTree } from "../../src/layers/root-tree.ts";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { readLayeredTree, readStoredTree, writeStoredTree } from "../../src/images/stored-tree.ts";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  layer,
  listing,
  merge,
  sparse,
  symlink,
} from "../layers/index-builder.ts";

const manifest = digestOf(Buffer.from("manifest"));
const signal = new AbortController().signal;

function sampleTree(): RootTree {
  const odd = {
    mode: 0o6751,
    uid: 4_294_967_295,
    gid: 7,
    mtime: { seconds: -5, nanoseconds: 1 },
    xattrs: { "user.a": "" },
  };
  return merge([
    layer(
      dir("./", { mode: 0o701 }),
      file("a/b/odd \n name", "content", odd),
      hardlink("a/second", "a/b/odd \n name"),
      sparse("hole", 1 << 30, [{ offset: 4096, length: 10 }]),
      symlink("link", "a/second"),
      hardlink("link2", "link"),
      device("dev", "character", 4095, 1_048_575),
      fifo("pipe"),
      dir("empty", odd),
    ),
  ]);
}

test("a tree survives its way to the disk and back", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "tree.index");
  const tree = sampleTree();
  await writeStoredTree(path, tree, manifest, defaultLimits, signal);
  const back = await readStoredTree(path, manifest, defaultLimits, signal);
  assert.deepEqual(listing(back), listing(tree));
  assert.equal(back.inodeCount, tree.inodeCount);
  assert.equal(back.contentBytes, tree.contentBytes);
});

test("where each inode stems from comes back, hard links and all", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "tree.index");
  const tree = merge([
    layer(dir("./"), file("a/one", "1"), file("a/two", "2"), hardlink("z", "a/two"), dir("empty")),
    layer(file("a/two", "3"), file("b/three", "4")),
    layer(symlink("a/four", "one"), dir("empty", { mode: 0o700 })),
  ]);
  await writeStoredTree(path, tree, manifest, defaultLimits, signal);
  const { tree: back, layerOf } = await readLayeredTree(path, manifest, defaultLimits, signal);
  assert.deepEqual(listing(back), listing(tree));
  const found = [...everyName(back.root)].map((named) => [named.path, layerOf?.(named.inode)]);
  assert.deepEqual(
    found,
    [...everyName(tree.root)].map((named) => [named.path, named.inode.origin.layer]),
  );
  assert.deepEqual(Object.fromEntries(found)["a/two"], 1);
  assert.deepEqual(Object.fromEntries(found)["z"], 0);
});

test("a tree of the first version is read, and says nothing of layers", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "tree.index");
  await writeStoredTree(path, sampleTree(), manifest, defaultLimits, signal);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(bytes.indexOf("BNGRLIDX")));
  const { tree, layerOf } = await readLayeredTree(path, manifest, defaultLimits, signal);
  assert.deepEqual(listing(tree), listing(sampleTree()));
  assert.equal(layerOf, undefined);
});

test("each byte of what says where inodes stem from is held against its hash", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "tree.index");
  await writeStoredTree(path, sampleTree(), manifest, defaultLimits, signal);
  const bytes = readFileSync(path);
  const end = bytes.indexOf("BNGRLIDX");
  for (let at = 0; at < end; at++) {
    const bent = Buffer.from(bytes);
    bent.writeUInt8(bent.readUInt8(at) ^ 1, at);
    writeFileSync(path, bent);
    const read = readLayeredTree(path, manifest, defaultLimits, signal);
    await assert.rejects(read, (error: unknown) => hasReason(error, "FILESYSTEM_CORRUPT"), `byte ${at}`);
  }
  for (const length of [0, 7, 8, 12, 40, end - 1, end]) {
    writeFileSync(path, bytes.subarray(0, length));
    const read = readLayeredTree(path, manifest, defaultLimits, signal);
    await assert.rejects(read, (error: unknown) => hasReason(error, "FILESYSTEM_CORRUPT"), `${length} bytes`);
  }
});

test("a tree of another image, a damaged one and none at all are told, and stay where they are", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "tree.index");
  const read = (digest = manifest, at = path) => readStoredTree(at, digest, defaultLimits, signal);
  const corrupt = (error: unknown): boolean => hasReason(error, "FILESYSTEM_CORRUPT");
  await writeStoredTree(path, sampleTree(), manifest, defaultLimits, signal);
  await assert.rejects(read(digestOf(Buffer.from("other"))), corrupt);
  await assert.rejects(read(manifest, `${path}.none`), corrupt);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200);
  writeFileSync(path, bytes);
  await assert.rejects(read(), corrupt);
  assert.deepEqual(readFileSync(path), bytes);
});

test("what could not be read back is not written", async () => {
  await using folder = await makeTempDir("banger-tree-");
  const path = join(folder.path, "tree");
  await writeStoredTree(path, sampleTree(), manifest, defaultLimits, signal);
  const { size } = statSync(path);
  const other = join(folder.path, "other");
  await writeStoredTree(other, sampleTree(), manifest, { indexFileBytes: size }, signal);
  const more = writeStoredTree(`${other}2`, sampleTree(), manifest, { indexFileBytes: size - 1 }, signal);
  await assert.rejects(
    more,
    (error) => hasReason(error, "LIMIT_ENTRIES") && error.facts["rule"] === "index-bytes",
  );
});

test("a tree of many pieces is written while it is encoded, and no further than its limit", async () => {
  await using folder = await makeTempDir("banger-tree-");
  const path = join(folder.path, "tree");
  const xattrs = { "user.a": "x".repeat(4000) };
  const tree = merge([
    layer(...Array.from({ length: 5000 }, (_, at) => file(`f${at}`, `${at}`, { xattrs }))),
  ]);
  await writeStoredTree(path, tree, manifest, defaultLimits, signal);
  const { size } = statSync(path);
  assert.ok(size > 5000 * 4000);
  assert.deepEqual(listing(await readStoredTree(path, manifest, defaultLimits, signal)), listing(tree));
  const limits = { indexFileBytes: size - 1 };
  const cut = join(folder.path, "cut");
  await assert.rejects(writeStoredTree(cut, tree, manifest, limits, signal), /names and attributes/);
  const written = statSync(cut).size;
  assert.ok(
    written > 0 && written < size,
    "what came before is there, for whoever owns the folder to remove",
  );
});
