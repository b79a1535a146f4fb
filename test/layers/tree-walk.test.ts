import assert from "node:assert/strict";
import { test } from "node:test";
import { byteString, utf8Bytes } from "../../src/base/bytes.ts";
import { everyInode, everyName, inodeAt, sortedNames } from "../../src/layers/tree-walk.ts";
import { dir, file, hardlink, layer, merge, symlink } from "./index-builder.ts";

const tree = merge([
  layer(
    file("b/z"),
    hardlink("a.b", "b/z"),
    hardlink("b/a", "b/z"),
    dir("a/deep/er"),
    symlink("link", "a"),
    file("Z"),
    { ...file("x"), path: byteString(Buffer.from([0xff])) },
    file("é"),
  ),
]);

test("every name: the root first, directories before their contents, names of one directory in byte order", () => {
  const paths = [...everyName(tree.root)].map(({ path }) => path);
  assert.deepEqual(paths, [
    "",
    "Z",
    "a",
    "a/deep",
    "a/deep/er",
    "a.b",
    "b",
    "b/a",
    "b/z",
    "link",
    "\xc3\xa9",
    "\xff",
  ]);
});

test("every inode comes once, with the first of its names", () => {
  const named = [...everyInode(tree.root)];
  assert.equal(named.length, tree.inodeCount);
  assert.equal(new Set(named.map(({ inode }) => inode)).size, tree.inodeCount);
  const paths = new Set(named.map(({ path }) => path));
  assert.ok(paths.has(utf8Bytes("a.b")) && !paths.has(utf8Bytes("b/a")));
});

test("names are sorted by their bytes, as unsigned numbers", () => {
  assert.deepEqual(sortedNames(tree.root).slice(-2), ["\xc3\xa9", "\xff"]);
});

test("the inode at a path, with no symlink followed", () => {
  assert.equal(inodeAt(tree.root, utf8Bytes("")), tree.root);
  assert.equal(inodeAt(tree.root, utf8Bytes("a.b")), inodeAt(tree.root, utf8Bytes("b/z")));
  assert.equal(inodeAt(tree.root, utf8Bytes("link"))?.kind, "symlink");
  for (const path of ["none", "link/deep", "Z/x", "a/none/x"]) {
    assert.equal(inodeAt(tree.root, utf8Bytes(path)), undefined, path);
  }
});

test("a tree 2,000 levels deep is walked without recursion", () => {
  const deep = merge([layer(file("d/".repeat(2000)))]);
  assert.equal([...everyInode(deep.root)].length, 2001);
});
