import assert from "node:assert/strict";
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { leastShared, shareFile } from "../../src/base/share-file.ts";
import { freedBytes, treeBytes } from "../../src/base/tree-bytes.ts";

test("a file's bytes get a second place: as one inode only where that may be", async () => {
  await using folder = await makeTempDir("banger-share-");
  const at = (name: string): string => join(folder.path, name);
  await writeFile(at("from"), "some bytes");
  const own = await shareFile(at("from"), at("own"), true);
  assert.ok(["reflink", "link"].includes(own), own);
  const other = await shareFile(at("from"), at("other"), false);
  assert.ok(["reflink", "copy"].includes(other), other);
  const inode = async (name: string): Promise<number> => (await stat(at(name))).ino;
  assert.equal((await inode("own")) === (await inode("from")), own === "link");
  assert.notEqual(await inode("other"), await inode("from"));
  for (const name of ["own", "other"]) assert.equal(await readFile(at(name), "utf8"), "some bytes");
});

test("another disk gets a copy; what is there already stays, and what is missing is said", async () => {
  await using folder = await makeTempDir("banger-share-");
  await using far = await makeTempDir("banger-share-", "/dev/shm");
  const from = join(folder.path, "from");
  await writeFile(from, "some bytes");
  assert.equal(await shareFile(from, join(far.path, "to"), true), "copy");
  await writeFile(join(folder.path, "there"), "mine");
  await assert.rejects(shareFile(from, join(folder.path, "there"), true), { code: "EEXIST" });
  assert.equal(await readFile(join(folder.path, "there"), "utf8"), "mine");
  await rm(from);
  await assert.rejects(shareFile(from, join(folder.path, "to"), true), { code: "ENOENT" });
});

test("several files are shared as well as the least of them", () => {
  assert.equal(leastShared(["reflink", "reflink"]), "reflink");
  assert.equal(leastShared(["reflink", "link"]), "link");
  assert.equal(leastShared(["link", "copy", "reflink"]), "copy");
});

test("a tree takes what its files take, and gives back what has no other name", async () => {
  await using folder = await makeTempDir("banger-tree-");
  await mkdir(join(folder.path, "tree", "below"), { recursive: true });
  await writeFile(join(folder.path, "outside"), Buffer.alloc(100_000, 1));
  await writeFile(join(folder.path, "tree", "below", "own"), Buffer.alloc(50_000, 1));
  const before = await treeBytes(join(folder.path, "tree"));
  assert.equal(before.allocated, before.exclusive);
  await link(join(folder.path, "outside"), join(folder.path, "tree", "shared"));
  const { allocated, exclusive } = await treeBytes(join(folder.path, "tree"));
  assert.equal(exclusive, before.exclusive);
  assert.equal(allocated - exclusive, (await stat(join(folder.path, "outside"))).blocks * 512);
  assert.equal(await freedBytes(join(folder.path, "tree"), ["shared", "missing"]), exclusive);
  const below = await treeBytes(join(folder.path, "tree", "below"));
  assert.equal(await freedBytes(join(folder.path, "tree"), ["below"]), exclusive - below.exclusive);
  assert.deepEqual(await treeBytes(join(folder.path, "nowhere")), { allocated: 0, exclusive: 0 });
});
