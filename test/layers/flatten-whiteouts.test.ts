import assert from "node:assert/strict";
import { test } from "node:test";
import {
  listing,
  names,
  dir,
  device,
  fifo,
  file,
  hardlink,
  layer,
  merge,
  opaque,
  symlink,
  whiteout,
} from "./index-builder.ts";
import type { Part } from "./index-builder.ts";
import { assertRefused } from "./refusals.ts";

/** Every order of a few entries. */
function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [i, item] of items.entries()) {
    for (const rest of orders(items.toSpliced(i, 1))) yield [item, ...rest];
  }
}

/** The names that the tree must have, whatever the order of the upper layer's entries. */
function inEveryOrder(lower: readonly Part[], upper: readonly Part[], expected: readonly string[]): void {
  for (const order of orders(upper)) {
    const shown = order.map(({ path }) => path).join(", ");
    assert.deepEqual(names(merge([layer(...lower), layer(...order)])), expected, shown);
  }
}

test("`.wh.NAME` hides NAME of the layers below (OCI image-spec, layer.md, Whiteouts)", () => {
  const lower = layer(
    file("a/keep"),
    file("a/gone"),
    dir("a/dir/sub"),
    file("a/dir/sub/f"),
    symlink("a/link", "keep"),
  );
  const upper = layer(whiteout("a/gone"), whiteout("a/dir"), whiteout("a/link"));
  assert.deepEqual(names(merge([lower, upper])), ["a/", "a/keep"]);
});

test("a whiteout reaches through every layer below, and not those above", () => {
  const layers = [layer(file("a", "1")), layer(file("a", "2")), layer(whiteout("a")), layer(file("b"))];
  assert.deepEqual(names(merge(layers)), ["b"]);
  assert.deepEqual(names(merge([...layers, layer(file("a", "3"))])), ["a", "b"]);
});

test("never of its own layer, whatever the order of entries (umoci tar_extract_test.go: marker first and last)", () => {
  inEveryOrder([file("a", "old"), file("z")], [whiteout("a"), file("a", "new")], ["a", "z"]);
  const kept = merge([layer(file("a", "old")), layer(file("a", "newer"), whiteout("a"))]);
  assert.match(listing(kept)[1] ?? "", / 5 [0-9a-f]{16}$/);
});

test("a hidden directory with new content: nothing of the old one stays, metadata included", () => {
  const lower = [dir("d", { mode: 0o700, uid: 8 }), file("d/old"), file("d/sub/old")];
  inEveryOrder(
    lower,
    [whiteout("d"), file("d/new"), file("d/sub/new")],
    ["d/", "d/new", "d/sub/", "d/sub/new"],
  );
  for (const order of orders([whiteout("d"), file("d/new", "", { mtime: 6 })])) {
    const tree = merge([layer(...lower), layer(...order)]);
    assert.equal(listing(tree)[1], "/d directory 0755 0:0 6.000000000 links=2");
  }
});

test("the opaque marker hides all that the layers below have in that directory, at every depth", () => {
  const lower = [dir("d", { mode: 0o700, uid: 8 }), file("d/a"), file("d/b/c/e"), file("other")];
  inEveryOrder(lower, [opaque("d")], ["d/", "other"]);
  const tree = merge([layer(...lower), layer(opaque("d"))]);
  assert.equal(listing(tree)[1], "/d directory 0700 8:0 0.000000000 links=2", "the directory stays");
});

test("with an opaque marker this layer's entries stay, in any order", () => {
  const lower = [file("d/a", "old"), file("d/b/c/e"), file("d/b/x")];
  const upper = [opaque("d"), file("d/a"), file("d/b/c/new"), dir("d", { mode: 0o711 })];
  inEveryOrder(lower, upper, ["d/", "d/a", "d/b/", "d/b/c/", "d/b/c/new"]);
});

test("an opaque marker in the root hides everything below", () => {
  inEveryOrder([file("a"), file("b/c"), dir("./", { uid: 5 })], [opaque(""), file("b/d")], ["b/", "b/d"]);
  const tree = merge([layer(dir("./", { uid: 5 })), layer(opaque(""))]);
  assert.equal(tree.root.uid, 5);
});

test("an opaque marker and a plain one in the same directory", () => {
  inEveryOrder([file("d/a"), file("d/b")], [opaque("d"), whiteout("d/a"), file("d/c")], ["d/", "d/c"]);
  inEveryOrder([file("d/a"), file("d/b")], [opaque("d"), whiteout("d"), file("d/c")], ["d/", "d/c"]);
});

test("a whiteout counts by name alone, whatever the type flag (umoci)", () => {
  const kinds = [
    dir(".wh.a"),
    dir(".wh.a/"),
    symlink(".wh.a", "b"),
    hardlink(".wh.a", "nowhere"),
    fifo(".wh.a"),
    device(".wh.a", "character", 0, 0),
  ];
  for (const marker of kinds) {
    assert.deepEqual(names(merge([layer(file("a"), file("b")), layer(marker)])), ["b"], marker.kind);
    const opq = { ...marker, path: file("d/.wh..wh..opq").path };
    assert.deepEqual(names(merge([layer(file("d/a")), layer(opq)])), ["d/"], marker.kind);
  }
});

test("a marker of what does not exist: nothing happens, and no parent is made", () => {
  const upper = layer(
    whiteout("none"),
    whiteout("no/such/place"),
    opaque("nor/here"),
    whiteout("f/x"),
    opaque("f"),
  );
  assert.deepEqual(names(merge([layer(file("f")), upper])), ["f"]);
  assert.deepEqual(names(merge([layer(whiteout("a"), opaque("b"))])), [], "in the oldest layer");
});

test("the marker is never in the tree, and a name that only contains .wh. is a name", () => {
  const tree = merge([layer(file("a.wh.b"), file(".whx"), whiteout("c"), file("x.wh./y"))]);
  assert.deepEqual(names(tree), [".whx", "a.wh.b", "x.wh./", "x.wh./y"]);
});

test("a marker's parent is resolved through symlinks like any path's", () => {
  const lower = [file("usr/lib/a"), file("usr/lib/b"), symlink("lib", "/usr/lib"), symlink("deep", "lib")];
  inEveryOrder(
    lower,
    [whiteout("lib/a"), file("lib/c")],
    ["deep", "lib", "usr/", "usr/lib/", "usr/lib/b", "usr/lib/c"],
  );
  inEveryOrder(lower, [opaque("deep"), file("lib/c")], ["deep", "lib", "usr/", "usr/lib/", "usr/lib/c"]);
});

test("a marker behind a loop of links is refused, and one that climbs out too", () => {
  assertRefused([layer(symlink("l", "l")), layer(whiteout("l/a"))], { rule: "symlink-loop", entry: 1 });
  assertRefused([layer(file("a")), layer(file("b"), whiteout("../a"))], {
    rule: "path-escapes-root",
    entry: 2,
  });
});

test("an opaque marker in a directory that replaces a symlink leaves alone what the link led to (overlayfs, BuildKit)", () => {
  const lower = [file("b/x"), symlink("a", "b")];
  inEveryOrder(lower, [dir("a"), opaque("a")], ["a/", "b/", "b/x"]);
  inEveryOrder(lower, [dir("a"), opaque("a"), whiteout("a/x")], ["a/", "b/", "b/x"]);
});

test("the same where the directory is reached through another link", () => {
  const lower = [file("b/x"), symlink("usr/lib/a", "/b"), symlink("lib", "usr/lib")];
  inEveryOrder(
    lower,
    [dir("lib/a"), opaque("lib/a")],
    ["b/", "b/x", "lib", "usr/", "usr/lib/", "usr/lib/a/"],
  );
});

test("a marker below a symlink of its own layer hides where that link leads", () => {
  const lower = [file("lib/a"), file("usr/lib/a"), file("usr/lib/b")];
  inEveryOrder(
    lower,
    [symlink("lib", "usr/lib"), whiteout("lib/a")],
    ["lib", "usr/", "usr/lib/", "usr/lib/b"],
  );
});

test("markers higher up come first: a hidden link leads nowhere", () => {
  const lower = [file("b/x"), symlink("a", "b")];
  inEveryOrder(lower, [whiteout("a"), whiteout("a/x"), file("a/y")], ["a/", "a/y", "b/", "b/x"]);
});

test("entries see the tree without what their layer hides", () => {
  inEveryOrder([dir("b"), symlink("a", "b")], [whiteout("a"), file("a/x")], ["a/", "a/x", "b/"]);
});

test("refused: .wh. alone, .wh.., .wh... (umoci, containerd: invalid whiteout name)", () => {
  assertRefused([layer(file("a/.wh."))], { rule: "whiteout-empty-name", entry: 1, reason: "LAYER_UNSAFE" });
  assertRefused([layer(file(".wh.."))], { rule: "whiteout-dot-name", entry: 1, reason: "LAYER_UNSAFE" });
  assertRefused([layer(file("a/.wh..."))], { rule: "whiteout-dot-name", entry: 1, reason: "LAYER_UNSAFE" });
});

test("refused: a whiteout with a slash, and a middle component .wh.x", () => {
  for (const path of [".wh./a", ".wh.x/a", "d/.wh.x/a/b", "d/.wh.x/.wh.a", ".wh..wh..opq/a"]) {
    assertRefused([layer(dir("d"), file(path))], {
      rule: "whiteout-in-path",
      entry: 2,
      reason: "LAYER_UNSAFE",
    });
  }
});

test("refused: a component .wh.x that a dangling link would make", () => {
  const lower = layer(symlink("l", ".wh.x"), symlink("m", "a/.wh.y/b"));
  assertRefused([lower, layer(file("l/a"))], { rule: "whiteout-in-path", entry: 1 });
  assertRefused([lower, layer(file("m/a"))], { rule: "whiteout-in-path", entry: 1 });
});

test("AUFS's own names are left out of the tree, and listed (moby: archive.go, UnpackLayer)", () => {
  const parts = [
    dir(".wh..wh.aufs"),
    dir(".wh..wh.orph/"),
    file(".wh..wh.orph/.wh.x"),
    dir(".wh..wh.plnk"),
    file(".wh..wh.plnk/12.34"),
    file("a"),
  ];
  const tree = merge([layer(...parts)]);
  assert.deepEqual(names(tree), ["a"]);
  assert.deepEqual(
    tree.losses.map(({ kind, entryNumber }) => `${kind} ${entryNumber}`),
    [1, 2, 3, 4, 5].map((entry) => `AUFS_METADATA ${entry}`),
  );
});

test("hard links into .wh..wh.plnk resolve, before and after its entry", () => {
  const plink = file(".wh..wh.plnk/12.34", "data", { uid: 6 });
  for (const order of orders([
    plink,
    hardlink("a", ".wh..wh.plnk/12.34"),
    hardlink("b", "/.wh..wh.plnk/12.34"),
  ])) {
    const tree = merge([layer(...order)]);
    const [, first, second] = listing(tree);
    assert.match(first ?? "", /^\/a file 0644 6:0 0\.0{9} links=2 4 /);
    assert.equal(second, "/b = /a");
    assert.equal(tree.inodeCount, 2);
    assert.equal(tree.hiddenEntries, 0);
  }
  assertRefused([layer(hardlink("a", ".wh..wh.plnk/9.9"))], { rule: "link-target-missing", entry: 1 });
});

test("a character device 0:0 is a device, not a whiteout", () => {
  const tree = merge([layer(file("a")), layer(device("a", "character", 0, 0))]);
  assert.match(listing(tree)[1] ?? "", /^\/a character 0600 0:0 0\.0{9} links=1 0:0$/);
});
