import assert from "node:assert/strict";
import { test } from "node:test";
import { byteString } from "../../src/base/bytes.ts";
import {
  dir,
  file,
  hardlink,
  layer,
  listing,
  merge,
  names,
  symlink,
  whiteout,
  opaque,
} from "./index-builder.ts";
import { assertRefused } from "./refusals.ts";

test("a hard link shares the target's inode; its own header's owner, mode and size count for nothing", () => {
  const other = { mode: 0o7000, uid: 9, gid: 9, mtime: 9, xattrs: { "user.no": "1" } };
  const tree = merge([layer(file("a", "data", { uid: 5, mtime: 4 }), hardlink("b", "a", other))]);
  assert.match(listing(tree)[1] ?? "", /^\/a file 0644 5:0 4\.0{9} links=2 4 /);
  assert.equal(listing(tree)[2], "/b = /a");
});

test("the target is looked up like a path: spellings, symlinked parents, lower layers", () => {
  const lower = layer(file("usr/lib/a", "data"), symlink("lib", "/usr/lib"));
  for (const target of ["usr/lib/a", "./usr/lib/a", "/usr/lib/a", "lib/a", "x/../lib//a"]) {
    assert.equal(listing(merge([lower, layer(hardlink("b", target))]))[1]?.split(" ")[1], "file", target);
    assert.ok(listing(merge([lower, layer(hardlink("b", target))])).includes("/usr/lib/a = /b"), target);
  }
});

test("the target may be a symlink itself: shared, not followed", () => {
  const tree = merge([layer(file("f"), symlink("l", "f"), hardlink("m", "l"))]);
  assert.match(listing(tree)[2] ?? "", /^\/l symlink 0777 0:0 0\.0{9} links=2 -> f$/);
  assert.equal(listing(tree)[3], "/m = /l");
});

test("a hard link that goes through a link of links is one inode with three names", () => {
  const tree = merge([layer(file("a")), layer(hardlink("b", "a")), layer(hardlink("c", "b"))]);
  assert.match(listing(tree)[1] ?? "", / links=3 /);
  assert.deepEqual(listing(tree).slice(2), ["/b = /a", "/c = /a"]);
  assert.equal(tree.inodeCount, 2);
});

test("refused: a hard link to a directory, to the root, to itself, to nothing, out of the root", () => {
  const lower = layer(dir("d"), file("f"), symlink("s", "."));
  const cases = [
    [hardlink("x", "d"), "link-target-directory", "LAYER_INVALID"],
    [hardlink("x", "/"), "link-target-directory", "LAYER_INVALID"],
    [hardlink("x", "x"), "link-to-itself", "LAYER_INVALID"],
    [hardlink("f", "./f"), "link-to-itself", "LAYER_INVALID"],
    [hardlink("f", "s/f"), "link-to-itself", "LAYER_INVALID"],
    [hardlink("x", "nothing"), "link-target-missing", "LAYER_INVALID"],
    [hardlink("x", "d/nothing"), "link-target-missing", "LAYER_INVALID"],
    [hardlink("x", "f/nothing"), "link-target-missing", "LAYER_INVALID"],
    [hardlink("x", "no/such"), "link-target-missing", "LAYER_INVALID"],
    [hardlink("x", ".wh.f"), "link-target-missing", "LAYER_INVALID"],
    [hardlink("x", "../f"), "link-escapes-root", "LAYER_UNSAFE"],
    [hardlink("x", "/../etc/passwd"), "link-escapes-root", "LAYER_UNSAFE"],
    [hardlink("x", ""), "link-target-empty", "LAYER_INVALID"],
    [hardlink("x", "f\0"), "link-target-nul", "LAYER_UNSAFE"],
  ] as const;
  for (const [part, rule, reason] of cases) {
    assertRefused([lower, layer(file("ok"), part)], { rule, entry: 2, reason });
  }
});

test("refused: hard links in a cycle, also one that a chain leads into", () => {
  assertRefused([layer(hardlink("a", "b"), hardlink("b", "a"))], { rule: "link-cycle", entry: 2 });
  assertRefused([layer(hardlink("x", "a"), hardlink("a", "b"), hardlink("b", "c"), hardlink("c", "a"))], {
    rule: "link-cycle",
    entry: 4,
  });
});

test("a hard link never goes above the root, even through a symlink that says so", () => {
  const lower = layer(file("etc/f"), symlink("out", "../../../etc"));
  assert.ok(listing(merge([lower, layer(hardlink("b", "out/f"))])).includes("/etc/f = /b"));
});

test("a target that comes later in the same layer: resolved at the layer's end", () => {
  const tree = merge([
    layer(hardlink("a", "b"), hardlink("z", "d/y"), dir("d"), file("d/y"), file("b", "xy")),
  ]);
  assert.match(listing(tree)[1] ?? "", /^\/a file 0644 0:0 0\.0{9} links=2 2 /);
  assert.deepEqual(listing(tree).slice(2), [
    "/b = /a",
    "/d directory 0755 0:0 0.000000000 links=2",
    listing(tree)[4],
    "/z = /d/y",
  ]);
});

test("a chain of links that each come before their target is one inode, however long", () => {
  const count = 20_000;
  const links = Array.from({ length: count }, (_, i) => hardlink(`l${i}`, `l${i + 1}`));
  const tree = merge([layer(...links, file(`l${count}`, "x"))]);
  assert.equal(tree.inodeCount, 2);
  assert.equal(tree.hiddenEntries, 0);
  assert.equal(tree.root.children.values().next().value?.linkCount, count + 1);
});

test("a target that comes only in a later layer is missing", () => {
  assertRefused([layer(hardlink("a", "b"))], { rule: "link-target-missing", entry: 1 });
});

test("a target that is there when the link comes is the one, though a later entry takes its name", () => {
  const tree = merge([layer(file("f", "old")), layer(hardlink("g", "f"), file("f", "newer"))]);
  assert.deepEqual(
    listing(tree).map((line) => line.split(" ")[6]),
    [undefined, "5", "3"],
  );
});

test("a link that waits for its target gives way to a later entry for its name", () => {
  const tree = merge([layer(hardlink("a", "b"), file("a", "own"), file("b", "other"))]);
  assert.match(listing(tree)[1] ?? "", /^\/a file .* links=1 3 /);
  assert.equal(tree.hiddenEntries, 1);
  const gone = merge([layer(hardlink("d/a", "b"), file("d"), file("b"))]);
  assert.deepEqual(names(gone), ["b", "d"]);
});

test("a link over a directory: unlink comes first, so a target inside is missing", () => {
  assertRefused([layer(file("d/f")), layer(hardlink("d", "d/f"))], { rule: "link-target-missing", entry: 1 });
  assert.deepEqual(names(merge([layer(file("d/f"), file("g")), layer(hardlink("d", "g"))])), ["d", "g"]);
});

test("a target whited out by the same layer's marker is hidden only from below: the link keeps the inode", () => {
  const lower = layer(file("d/f", "data"), hardlink("d/g", "d/f"), file("d/e/h"), symlink("l", "d"));
  for (const marker of [whiteout("d/f"), whiteout("d"), opaque("d"), opaque("")]) {
    for (const target of ["d/f", "l/f"]) {
      for (const parts of [
        [marker, hardlink("x", target)],
        [hardlink("x", target), marker],
      ]) {
        const line = listing(merge([lower, layer(...parts)])).find((text) => /^\/x |= \/x$/.test(text));
        assert.match(line ?? "", /( 4 [0-9a-f]{16}|= \/d\/g|= \/x)$/);
      }
    }
  }
  assert.ok(names(merge([lower, layer(whiteout("d"), hardlink("y", "d/e/h"), file("d/new"))])).includes("y"));
});

test("what a marker hid is gone for the next layer's links", () => {
  const layers = [layer(file("f")), layer(whiteout("f")), layer(hardlink("x", "f"))];
  assertRefused(layers, { rule: "link-target-missing", entry: 1 });
});

test("a hidden target's own layer comes first: a new file of that name is the one that is linked", () => {
  const upper = layer(whiteout("f"), file("f", "new!"), hardlink("x", "f"));
  const tree = merge([layer(file("f", "old")), upper]);
  assert.match(listing(tree)[1] ?? "", /links=2 4 /);
});

test("at most 65,000 names an inode; one more is refused (ext4: EXT4_LINK_MAX)", () => {
  const links = Array.from({ length: 64_999 }, (_, i) => hardlink(`l${i}`, "f"));
  const full = merge([layer(file("f"), ...links)]);
  assert.equal(full.root.children.get(byteString(Buffer.from("f")))?.linkCount, 65_000);
  assertRefused([layer(file("f"), ...links), layer(hardlink("more", "f"))], {
    rule: "too-many-links",
    entry: 1,
    reason: "LAYER_INVALID",
  });
  const replaced = layer(file("l0"), hardlink("more", "f"));
  assert.equal(
    merge([layer(file("f"), ...links), replaced]).inodeCount,
    3,
    "a name that is gone does not count",
  );
});

test("a symlink's target is data, any bytes, never checked against anything", () => {
  for (const target of ["../../../etc/shadow", "/", ".", "a//b/../c", "\n", "é", ".wh.x", "nowhere"]) {
    assert.equal(listing(merge([layer(symlink("l", target))]))[1]?.split(" -> ")[1], target);
  }
  const raw = { ...symlink("l", "x"), target: byteString(Buffer.from([0xff, 0x80])) };
  const inode = merge([layer(raw)])
    .root.children.values()
    .next().value;
  assert.equal(inode?.kind === "symlink" && inode.target, "\xff\x80");
});

test("a symlink's target has 1 to 4,095 bytes and no NUL (kernel: PATH_MAX)", () => {
  assert.ok(merge([layer(symlink("l", "t".repeat(4095)))]));
  assertRefused([layer(symlink("l", "t".repeat(4096)))], { rule: "symlink-target-too-long", entry: 1 });
  assertRefused([layer(symlink("l", ""))], { rule: "symlink-target-empty", entry: 1 });
  assertRefused([layer(symlink("l", "a\0b"))], {
    rule: "symlink-target-nul",
    entry: 1,
    reason: "LAYER_UNSAFE",
  });
});
