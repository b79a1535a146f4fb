import assert from "node:assert/strict";
import { test } from "node:test";
import { byteString } from "../../src/base/bytes.ts";
import {
  dir,
  fifo,
  file,
  hardlink,
  layer,
  listing,
  merge,
  names,
  symlink,
  whiteout,
} from "./index-builder.ts";
import { assertRefused } from "./refusals.ts";

test("./a, /a, a, a//b, a/./b are one path (Go filepath.Clean, as umoci and containerd)", () => {
  for (const path of [
    "./a/b",
    "/a/b",
    "a/b",
    "a//b",
    "a/./b",
    ".//a/b",
    "././a/b",
    "a/b/",
    "/./a/b",
    "a/x/../b",
  ]) {
    assert.deepEqual(names(merge([layer(dir("a"), file(path))])), ["a/", "a/b"], path);
  }
});

test("`..` that stays inside is cleaned, whatever it is above", () => {
  const tree = merge([layer(symlink("l", "elsewhere"), file("l/../f"), file("missing/../g"))]);
  assert.deepEqual(names(tree), ["f", "g", "l"]);
});

test("`..` that climbs above the root is refused", () => {
  for (const path of ["../a", "..", "/../a", "a/../../b", "./../a", "a/b/../../../c"]) {
    const error = assertRefused([layer(dir("x"), file(path))], { rule: "path-escapes-root", entry: 2 });
    assert.equal(error.reason, "LAYER_UNSAFE");
    assert.equal(error.facts["name"], path);
  }
});

test("a NUL in a name is refused", () => {
  assertRefused([layer(file("a\0b"))], { rule: "path-nul", entry: 1, reason: "LAYER_UNSAFE" });
});

test("a component over 255 bytes is refused (ext4: EXT4_NAME_LEN)", () => {
  const longest = "n".repeat(255);
  assert.deepEqual(names(merge([layer(file(`${longest}/${longest}`))])), [
    `${longest}/`,
    `${longest}/${longest}`,
  ]);
  assertRefused([layer(file(`a/${longest}n`))], { rule: "name-too-long", entry: 1, reason: "LAYER_INVALID" });
  assertRefused([layer(file(`a/${longest}n/b`))], { rule: "name-too-long", entry: 1 });
});

test("a component over 255 bytes that a dangling link would make is refused", () => {
  const long = "n".repeat(256);
  assertRefused([layer(symlink("l", long), file("l/x"))], { rule: "name-too-long", entry: 2 });
});

test("a path over 4,096 bytes is refused, also one that only symlinks make so long", () => {
  const half = "d/".repeat(1030);
  assert.equal(names(merge([layer(file(`${half}${half.slice(0, 2000)}f`))])).length, 2031);
  assertRefused([layer(file(`${half}${half}f`))], { rule: "path-too-long", entry: 1, reason: "LIMIT_PATH" });
  const layers = [layer(symlink("l", half), file("l/x")), layer(file(`l/${half}f`))];
  assertRefused(layers, { rule: "path-too-long", entry: 1 });
});

test("an entry named nothing at all is refused", () => {
  assertRefused([layer(file(""))], { rule: "path-empty", entry: 1, reason: "LAYER_INVALID" });
});

test("a bare ./ is the root and carries its metadata", () => {
  for (const path of ["./", ".", "/", "//", "a/.."]) {
    const tree = merge([
      layer(dir(path, { mode: 0o1750, uid: 3, gid: 4, mtime: 99, xattrs: { "user.a": "b" } })),
    ]);
    assert.deepEqual(listing(tree), ["/ directory 1750 3:4 99.000000000 links=2 user.a=62"], path);
    assert.deepEqual(tree.root.origin, { layer: 0, entry: 1 });
  }
});

test("a root without an entry is 0755, 0:0, 1970", () => {
  const tree = merge([layer(file("a", "", { mtime: 50 }))]);
  assert.equal(listing(tree)[0], "/ directory 0755 0:0 0.000000000 links=2");
  assert.deepEqual(tree.root.origin, { layer: 0, entry: 0 });
});

test("the root can't become anything but a directory (umoci: refusing to change type of root directory)", () => {
  for (const part of [file("./"), symlink("/", "a"), hardlink(".", "a")]) {
    assertRefused([layer(file("a"), part)], { rule: "root-not-directory", entry: 2, reason: "LAYER_UNSAFE" });
  }
});

test("a lower layer's bin -> usr/bin receives bin/x at /usr/bin/x, and the link stays", () => {
  const lower = layer(dir("usr"), dir("usr/bin"), symlink("bin", "usr/bin"));
  assert.deepEqual(names(merge([lower, layer(file("bin/x"))])), ["bin", "usr/", "usr/bin/", "usr/bin/x"]);
});

test("absolute link targets start at the image's root", () => {
  const lower = layer(dir("a/b"), symlink("a/l", "/a/b"));
  assert.deepEqual(names(merge([lower, layer(file("a/l/x"))])), ["a/", "a/b/", "a/b/x", "a/l"]);
});

test("`..` of a link's target stops at the root (as in a chroot)", () => {
  const lower = layer(dir("a"), symlink("a/l", "../../../../etc"));
  assert.deepEqual(names(merge([lower, layer(file("a/l/passwd"))])), ["a/", "a/l", "etc/", "etc/passwd"]);
});

test("`..` of a link's target goes up from where the link led, not from its name", () => {
  const lower = layer(dir("a/b/c"), symlink("l", "a/b/c"), symlink("m", "l/../x"), dir("a/b/x"));
  assert.deepEqual(names(merge([lower, layer(file("m/f"))])), [
    "a/",
    "a/b/",
    "a/b/c/",
    "a/b/x/",
    "a/b/x/f",
    "l",
    "m",
  ]);
});

test("`..` after an absolute target goes up from there, not from the link", () => {
  const lower = layer(dir("deep/er"), symlink("deep/er/l", "/a/b/../c"), dir("a/b"));
  assert.ok(names(merge([lower, layer(file("deep/er/l/x"))])).includes("a/c/x"));
  const top = layer(dir("deep/er"), symlink("deep/er/l", "/a/../c"), dir("a"));
  assert.ok(names(merge([top, layer(file("deep/er/l/x"))])).includes("c/x"));
});

test("a dangling parent link is followed and its target made", () => {
  const tree = merge([layer(symlink("l", "to/there")), layer(file("l/x", "", { mtime: 7 }))]);
  assert.deepEqual(names(tree), ["l", "to/", "to/there/", "to/there/x"]);
  assert.equal(listing(tree)[2], "/to directory 0755 0:0 7.000000000 links=3");
});

test("below what does not exist, `..` of a link takes a name away and makes nothing (securejoin)", () => {
  const tree = merge([layer(symlink("l", "none/../there")), layer(file("l/x"))]);
  assert.deepEqual(names(tree), ["l", "there/", "there/x"]);
  const over = merge([layer(file("f"), symlink("l", "f/../there")), layer(file("l/x"))]);
  assert.deepEqual(names(over), ["f", "l", "there/", "there/x"]);
});

test("such a link leads elsewhere once the name that it takes away is a symlink", () => {
  const parts = [symlink("l", "none/../there"), file("l/1"), symlink("none", "d/e"), file("l/2")];
  assert.deepEqual(names(merge([layer(...parts)])), [
    "d/",
    "d/there/",
    "d/there/2",
    "l",
    "none",
    "there/",
    "there/1",
  ]);
});

test("a loop of links is refused, and so are more than 40 (kernel: MAXSYMLINKS)", () => {
  assertRefused([layer(symlink("l", "l"), file("l/x"))], {
    rule: "symlink-loop",
    entry: 2,
    reason: "LAYER_UNSAFE",
  });
  assertRefused([layer(symlink("a", "b"), symlink("b", "a")), layer(file("a/x"))], {
    rule: "symlink-loop",
    entry: 1,
  });
  const chain = (links: number) => Array.from({ length: links }, (_, i) => symlink(`l${i}`, `l${i + 1}`));
  assert.ok(names(merge([layer(...chain(40)), layer(file("l0/x"))])).includes("l40/x"));
  assertRefused([layer(...chain(41)), layer(file("l0/x"))], { rule: "symlink-loop", entry: 1 });
});

test("links are counted along the whole path, also where a part of it is known already", () => {
  const chain = Array.from({ length: 30 }, (_, i) => symlink(`l${i}`, `l${i + 1}`));
  const second = Array.from({ length: 11 }, (_, i) => symlink(`l30/m${i}`, `m${i + 1}`));
  const lower = layer(...chain, dir("l30"), ...second, dir("l30/m11"));
  assertRefused([lower, layer(file("l0/x"), file("l0/m0/y"))], { rule: "symlink-loop", entry: 2 });
});

test("a link to itself may be in the tree, as long as nothing goes through it", () => {
  assert.deepEqual(names(merge([layer(symlink("l", "l"))])), ["l"]);
});

test("a missing parent is made: 0755, 0:0, time of the entry that needs it", () => {
  const meta = { mode: 0o600, uid: 5, gid: 6, mtime: 1234, xattrs: { "user.x": "y" } };
  const tree = merge([layer(file("z"), file("a/b/c", "", meta), file("a/b/d", "", { mtime: 99 }))]);
  assert.deepEqual(listing(tree).slice(1, 3), [
    "/a directory 0755 0:0 1234.000000000 links=3",
    "/a/b directory 0755 0:0 1234.000000000 links=2",
  ]);
  const made = tree.root.children.get(byteString(Buffer.from("a")));
  assert.deepEqual(made?.origin, { layer: 0, entry: 2 });
});

test("below a regular file: the file is replaced by a directory (umoci), and listed as a loss", () => {
  const upper = layer(file("ok"), file("a/f/x"));
  const tree = merge([layer(file("a/f", "old")), upper]);
  assert.deepEqual(names(tree), ["a/", "a/f/", "a/f/x", "ok"]);
  assert.equal(tree.losses.length, 1);
  const { kind, path, entryNumber, layerDigest } = tree.losses[0] ?? assert.fail();
  assert.deepEqual(
    { kind, path, entryNumber, layerDigest },
    { kind: "FILE_REPLACED_BY_PARENT", path: "a/f", entryNumber: 2, layerDigest: upper.blobDigest },
  );
});

test("below a link to a regular file: that file is replaced, the link stays", () => {
  const tree = merge([layer(file("f"), symlink("l", "f")), layer(file("l/x"))]);
  assert.deepEqual(names(tree), ["f/", "f/x", "l"]);
  assert.equal(tree.losses[0]?.path, "f");
});

test("names are bytes: newline, quotes, <12>, invalid UTF-8 and prototype names are kept", () => {
  const odd = [
    "a\nb",
    `"q" 'q'`,
    "<12>",
    "a\\b",
    "-n",
    "__proto__",
    "constructor",
    " ",
    "..a",
    "...",
    "a.wh.b",
    "é",
  ];
  const tree = merge([layer(...odd.map((name) => file(`d/${name}`)))]);
  assert.deepEqual(new Set(names(tree)), new Set(["d/", ...odd.map((name) => `d/${name}`)]));
  const raw = { ...file("x"), path: byteString(Buffer.from([0xff, 0xfe, 0x80, 0x41])) };
  assert.deepEqual([...merge([layer(raw)]).root.children.keys()], ["\xff\xfe\x80A"]);
});

test("/lost+found can be nothing but a directory in the end", () => {
  const below = layer(dir("lost+found"), file("lost+found/x"));
  const found = [file("lost+found"), symlink("lost+found", "tmp"), fifo("lost+found")];
  for (const entry of found) {
    const expected = { rule: "lost-and-found-not-directory", entry: 2, reason: "LAYER_UNENCODABLE" } as const;
    assertRefused([below, layer(file("a"), entry)], expected);
    const covered = [layer(file("a"), entry), layer(file("b"))];
    assert.throws(() => merge(covered), { reason: "LAYER_UNENCODABLE", message: /, entry 2, "lost\+found/ });
    assert.deepEqual(names(merge([layer(entry), below])), ["lost+found/", "lost+found/x"]);
    assert.deepEqual(names(merge([layer(entry), layer(whiteout("lost+found"))])), []);
  }
  // A hard link has no inode of its own: the entry that is named is the one that made it.
  assertRefused([layer(file("a"), hardlink("lost+found", "a"))], {
    rule: "lost-and-found-not-directory",
    entry: 1,
    reason: "LAYER_UNENCODABLE",
  });
});

test("the image's own /lost+found is content like any other", () => {
  const tree = merge([layer(dir("lost+found", { mode: 0o750, uid: 9 }), file("lost+found/x"))]);
  assert.deepEqual(names(tree), ["lost+found/", "lost+found/x"]);
  assert.match(listing(tree)[1] ?? "", /directory 0750 9:0/);
});
