import assert from "node:assert/strict";
import { test } from "node:test";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  layer,
  listing,
  merge,
  names,
  symlink,
  type Part,
} from "./index-builder.ts";

const described = { mode: 0o7777, uid: 1000, gid: 1001, mtime: 5, xattrs: { "user.old": "1" } };
const plain: readonly (readonly [string, Part])[] = [
  ["file", file("x", "new")],
  ["symlink", symlink("x", "to")],
  ["fifo", fifo("x")],
  ["character device", device("x", "character", 1, 3)],
  ["block device", device("x", "block", 8, 1)],
];

test("file, link or device over anything: unlink, then create; nothing of the old one stays", () => {
  for (const [, old] of plain) {
    for (const [, young] of plain) {
      const expected = listing(merge([layer(young)]));
      const lower = { ...old, mode: 0o7777, uid: 77, gid: 78 };
      assert.deepEqual(listing(merge([layer(lower), layer(young)])), expected);
      assert.deepEqual(listing(merge([layer(lower, young)])), expected);
    }
  }
});

test("file, link or device over a directory: what was in it goes", () => {
  for (const [kind, young] of plain) {
    const lower = layer(dir("x", described), file("x/a/b"), file("y"));
    const tree = merge([lower, layer(young)]);
    assert.deepEqual(names(tree), ["x", "y"], kind);
    assert.deepEqual(listing(tree)[1], listing(merge([layer(young)]))[1]);
  }
});

test("other names of a replaced inode keep the old data", () => {
  const lower = layer(file("a", "old", described), hardlink("b", "a"));
  const tree = merge([lower, layer(file("a", "new"))]);
  assert.match(listing(tree)[2] ?? "", /^\/b file 7777 1000:1001 5\.0{9} links=1 user\.old=31 3 /);
  assert.match(listing(tree)[1] ?? "", /^\/a file 0644 0:0 0\.0{9} links=1 3 /);
});

test("directory over directory: children merge, all metadata is the newer entry's, xattrs too", () => {
  const lower = layer(dir("d", described), file("d/a"), dir("d/e"));
  const tree = merge([
    lower,
    layer(dir("d", { mode: 0o700, mtime: 9, xattrs: { "user.new": "2" } }), file("d/b")),
  ]);
  assert.deepEqual(names(tree), ["d/", "d/a", "d/b", "d/e/"]);
  assert.equal(listing(tree)[1], "/d directory 0700 0:0 9.000000000 links=3 user.new=32");
});

test("directory over a symlink, even to a directory: replaces it (umoci without keep-dirlinks)", () => {
  const lower = layer(dir("real"), file("real/a"), symlink("l", "real"));
  const tree = merge([lower, layer(file("l/through"), dir("l"), file("l/b"))]);
  assert.deepEqual(names(tree), ["l/", "l/b", "real/", "real/a", "real/through"]);
});

test("directory over a file, a fifo or a device: replaces it, and nothing is lost unasked", () => {
  for (const [kind, old] of plain) {
    const tree = merge([layer(old), layer(dir("x", { mode: 0o711 }))]);
    assert.equal(listing(tree)[1], "/x directory 0711 0:0 0.000000000 links=2", kind);
    assert.deepEqual(tree.losses, []);
  }
});

test("symlink over a directory: its contents go, later entries resolve through the new link", () => {
  const lower = layer(dir("lib"), file("lib/old"), dir("usr/lib"));
  const upper = layer(file("lib/before"), symlink("lib", "usr/lib"), file("lib/after"));
  assert.deepEqual(names(merge([lower, upper])), ["lib", "usr/", "usr/lib/", "usr/lib/after"]);
});

test("a symlink that replaces a middle directory is seen by the next entry below it", () => {
  const lower = layer(dir("a/b/c"), dir("other/c"));
  const upper = layer(file("a/b/c/1"), symlink("a/b", "../other"), file("a/b/c/2"));
  assert.deepEqual(names(merge([lower, upper])), ["a/", "a/b", "other/", "other/c/", "other/c/2"]);
});

test("several entries for one path in a layer: the last wins", () => {
  const tree = merge([layer(file("a", "1"), symlink("a", "x"), file("a", "22", { uid: 3 }))]);
  assert.match(listing(tree)[1] ?? "", /^\/a file 0644 3:0 0\.0{9} links=1 2 /);
  assert.deepEqual(names(merge([layer(dir("a"), file("a/b"), file("a"), dir("a"))])), ["a/"]);
  assert.deepEqual(names(merge([layer(dir("a"), file("a/b"), dir("a"))])), ["a/", "a/b"]);
});

test("a directory's entry may come after its children", () => {
  const tree = merge([layer(file("d/e/f", "", { mtime: 3 }), dir("d/e", { mode: 0o700, uid: 4, mtime: 8 }))]);
  assert.deepEqual(listing(tree).slice(1, 3), [
    "/d directory 0755 0:0 3.000000000 links=3",
    "/d/e directory 0700 4:0 8.000000000 links=2",
  ]);
});

test("a directory's mtime is its last entry's, however many children came after", () => {
  const first = layer(dir("d", { mtime: 10 }), file("d/a", "", { mtime: 20 }));
  const tree = merge([first, layer(file("d/b", "", { mtime: 30 }), file("d/c", "", { mtime: 40 }))]);
  assert.equal(listing(tree)[1], "/d directory 0755 0:0 10.000000000 links=2");
});
