import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { LossKind } from "../../src/layers/layer-index.ts";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  layer,
  layerWithLosses,
  listing,
  merge,
  names,
  opaque,
  sparse,
  symlink,
  whiteout,
} from "./index-builder.ts";
import { assertRefused } from "./refusals.ts";

const earliest = -(2 ** 31);
const latest = 2 ** 34 - 2 ** 31 - 1;

function timeOf(seconds: number, nanoseconds = 0): string {
  const tree = merge([layer(file("f", "", { mtime: { seconds, nanoseconds } }))]);
  const { mtime } = tree.root.children.values().next().value ?? assert.fail();
  return `${mtime.seconds}.${mtime.nanoseconds} ${tree.losses.map(({ kind }) => kind).join()}`;
}

test("the times that ext4 holds are those that the rule names (kernel: EXT4_EPOCH_BITS)", () => {
  assert.equal(new Date(earliest * 1000).toISOString(), "1901-12-13T20:45:52.000Z");
  assert.equal(new Date(latest * 1000).toISOString(), "2446-05-10T22:38:55.000Z");
});

test("mtime: nanoseconds, negative too; outside 1901-12-13 … 2446-05-10 clamped, and listed", () => {
  assert.equal(timeOf(1, 999_999_999), "1.999999999 ");
  assert.equal(timeOf(-1, 5), "-1.5 ");
  assert.equal(timeOf(earliest), `${earliest}.0 `);
  assert.equal(timeOf(earliest, 7), `${earliest}.7 `);
  assert.equal(timeOf(latest), `${latest}.0 `);
  assert.equal(timeOf(earliest - 1, 999_999_999), `${earliest}.0 TIME_CLAMPED`);
  assert.equal(timeOf(latest, 1), `${latest}.0 TIME_CLAMPED`);
  assert.equal(timeOf(latest + 1), `${latest}.0 TIME_CLAMPED`);
  assert.equal(timeOf(Number.MAX_SAFE_INTEGER), `${latest}.0 TIME_CLAMPED`);
});

test("mtime: what e2fsck takes for a time before 1970, 2310-04-04 … 2378-04-22, is moved out, and listed", () => {
  const [first, last] = [0x280000000, 0x2ffffffff];
  assert.equal(new Date(first * 1000).toISOString(), "2310-04-04T16:10:40.000Z");
  assert.equal(new Date(last * 1000).toISOString(), "2378-04-22T19:24:47.000Z");
  assert.equal(timeOf(first - 1, 999_999_999), `${first - 1}.999999999 `);
  assert.equal(timeOf(first, 5), `${first - 1}.0 TIME_CLAMPED`);
  assert.equal(timeOf((first + last - 1) / 2), `${first - 1}.0 TIME_CLAMPED`);
  assert.equal(timeOf((first + last + 1) / 2), `${last + 1}.0 TIME_CLAMPED`);
  assert.equal(timeOf(last, 999_999_999), `${last + 1}.0 TIME_CLAMPED`);
  assert.equal(timeOf(last + 1, 7), `${last + 1}.7 `);
});

test("a clamped time is listed with layer, entry and path, also that of a parent made for the entry", () => {
  const meta = { mtime: latest + 10 };
  const upper = layer(file("a"), file("x/y", "", meta), dir("z", meta), symlink("l", "t", meta));
  const tree = merge([layer(file("low")), upper]);
  assert.deepEqual(
    tree.losses.map(({ kind, path, entryNumber }) => `${kind} ${entryNumber} ${path}`),
    ["TIME_CLAMPED 2 x", "TIME_CLAMPED 2 x/y", "TIME_CLAMPED 3 z", "TIME_CLAMPED 4 l"],
  );
  assert.ok(tree.losses.every(({ layerDigest }) => layerDigest === upper.blobDigest));
  assert.ok(
    listing(tree)
      .slice(4)
      .every((line) => line.includes(` ${latest}.000000000 `)),
  );
});

test("what is hidden in the end has lost nothing: its entry's times and xattrs are not listed", () => {
  const meta = { mtime: latest + 10 };
  const lower = layer(file("a", "", meta), dir("d", meta), file("kept", "", meta));
  const tree = merge([lower, layer(file("a"), dir("d"), whiteout("nothing"))]);
  assert.deepEqual(
    tree.losses.map(({ path }) => path),
    ["kept"],
  );
});

test("losses of the scan are passed on with their layer, in the order of layers and entries", () => {
  const loss = (kind: LossKind, entryNumber: number) => {
    return { kind, entryNumber, path: utf8Bytes("f"), detail: "said by the scan" };
  };
  const first = layerWithLosses(
    [file("f"), file("g", "", { mtime: latest + 1 }), file("hidden")],
    [loss("XATTR_NAMESPACE", 1), loss("XATTR_TOO_LARGE", 3), loss("MEDIA_TYPE_DIFFERS", 0)],
  );
  const second = layerWithLosses([file("hidden")], [loss("XATTR_NAMESPACE", 1)]);
  const tree = merge([first, second]);
  assert.deepEqual(
    tree.losses.map(({ kind, entryNumber, layerDigest }) => [kind, entryNumber, layerDigest]),
    [
      ["MEDIA_TYPE_DIFFERS", 0, first.blobDigest],
      ["XATTR_NAMESPACE", 1, first.blobDigest],
      ["TIME_CLAMPED", 2, first.blobDigest],
      ["XATTR_NAMESPACE", 1, second.blobDigest],
    ],
  );
});

test("owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them", () => {
  const meta = {
    mode: 0o7751,
    uid: 2 ** 32 - 1,
    gid: 2 ** 31,
    mtime: 5,
    xattrs: { "user.b": "2", "security.a": "" },
  };
  const tree = merge([
    layer(
      file("f", "", meta),
      dir("d", meta),
      fifo("p", meta),
      device("c", "character", 4095, 1_048_575, meta),
      device("b", "block", 0, 0, meta),
    ),
  ]);
  const shown = "7751 4294967295:2147483648 5.000000000 links=1 security.a= user.b=32";
  assert.deepEqual(listing(tree).slice(1), [
    `/b block ${shown} 0:0`,
    `/c character ${shown} 4095:1048575`,
    `/d directory ${shown.replace("links=1", "links=2")}`,
    `/f file ${shown} 0 e3b0c44298fc1c14`,
    `/p fifo ${shown}`,
  ]);
});

test("a symlink's mode is 0777, whatever its header says: Linux has no other (symlink(7))", () => {
  const tree = merge([layer(symlink("l", "t", { mode: 0o600, uid: 3, xattrs: { "trusted.a": "b" } }))]);
  assert.equal(listing(tree)[1], "/l symlink 0777 3:0 0.000000000 links=1 trusted.a=62 -> t");
});

test("an inode's origin and content name the layer and the entry that it stems from", () => {
  const tree = merge([layer(dir("d"), file("d/a")), layer(file("x"), dir("d"), file("d/b"))]);
  const d = tree.root.children.get(utf8Bytes("d"));
  assert.deepEqual(d?.origin, { layer: 1, entry: 2 });
  assert.ok(d?.kind === "directory");
  const a = d.children.get(utf8Bytes("a"));
  const b = d.children.get(utf8Bytes("b"));
  assert.deepEqual(
    [a?.origin, b?.origin],
    [
      { layer: 0, entry: 2 },
      { layer: 1, entry: 3 },
    ],
  );
  assert.ok(a?.kind === "file" && b?.kind === "file");
  assert.deepEqual([a.content.layer, b.content.layer], [0, 1]);
  assert.ok(a.content.offset > 0 && b.content.offset > a.content.offset);
});

test("linkCount: a directory has 2 and one for each directory in it", () => {
  const tree = merge([layer(dir("a/b"), dir("a/c/d"), file("a/f"), symlink("a/l", "b"))]);
  assert.deepEqual(
    listing(tree).map((line) => line.split(" links=")[1]?.charAt(0)),
    ["3", "4", "2", "3", "2", "1", "1"],
  );
});

test("inodeCount and contentBytes count a hard-linked inode once, holes not at all, hidden files not at all", () => {
  const lower = layer(
    file("a", "12345"),
    hardlink("b", "a"),
    file("gone", "x".repeat(100)),
    sparse("s", 1_000_000, [{ offset: 7, length: 3 }]),
  );
  const tree = merge([lower, layer(whiteout("gone"), hardlink("c", "a"))]);
  assert.equal(tree.inodeCount, 3);
  assert.equal(tree.contentBytes, 8);
});

test("a hard-linked file counts as long as one of its names is left", () => {
  const lower = layer(file("a", "12345"), hardlink("b", "a"));
  const tree = merge([lower, layer(whiteout("a"))]);
  assert.equal(tree.contentBytes, 5);
  assert.equal(listing(tree)[1]?.includes("links=1"), true);
});

test("hiddenEntries: entries of the layers that nothing of the tree stems from", () => {
  const hidden = (...layers: Parameters<typeof merge>[0]) => merge(layers).hiddenEntries;
  assert.equal(hidden(), 0);
  assert.equal(hidden(layer(file("a"), dir("d"), file("d/b"))), 0);
  assert.equal(hidden(layer(file("a"), file("a"))), 1, "replaced");
  assert.equal(hidden(layer(dir("d")), layer(dir("d"))), 1, "described anew");
  assert.equal(
    hidden(layer(dir("d"), file("d/a"), file("d/b")), layer(file("d"))),
    3,
    "replaced with all in it",
  );
  assert.equal(hidden(layer(file("a")), layer(whiteout("a"))), 2, "hidden, and the marker itself");
  assert.equal(hidden(layer(file("d/a")), layer(opaque("d"))), 1, "the directory was made for that entry");
  assert.equal(
    hidden(layer(file("a"), hardlink("b", "a")), layer(whiteout("a"))),
    1,
    "alive through its other name",
  );
  assert.equal(
    hidden(layer(file("a"), hardlink("b", "a")), layer(whiteout("b"))),
    2,
    "only the other name went",
  );
  assert.equal(
    hidden(layer(file("a"), hardlink("b", "a"), hardlink("b", "a"))),
    1,
    "linked twice under one name",
  );
  assert.equal(
    hidden(layer(file("a"), hardlink("d/b", "a")), layer(file("d"))),
    1,
    "a link in a directory that went",
  );
});

test("no layer, or an empty one: the root alone", () => {
  for (const layers of [[], [layer()], [layer(), layer()]]) {
    const tree = merge(layers);
    assert.deepEqual(names(tree), []);
    assert.deepEqual(
      { ...tree, root: 0 },
      { root: 0, inodeCount: 1, contentBytes: 0, hiddenEntries: 0, losses: [] },
    );
    assert.equal(tree.root.linkCount, 2);
  }
});

test("more entries than the limit, or more directories made for them, are refused", () => {
  const layers = [layer(file("a"), file("b")), layer(file("c"), file("d"))];
  assert.ok(merge(layers, { entries: 4 }));
  assertRefused(layers, { rule: "too-many-entries", entry: 2, reason: "LIMIT_ENTRIES" }, { entries: 3 });
  assertRefused([layer(file("a/b/c/d/e"))], { rule: "too-many-entries", entry: 1 }, { entries: 4 });
});

test("the work pauses every few thousand entries, and costs them no more than once", () => {
  const parts = Array.from({ length: 50_000 }, (_, i) => file(`d${i % 100}/f${i}`));
  let pauses = 0;
  const work = flatten([layer(...parts)], { limits: defaultLimits });
  while (work.next().done !== true) pauses++;
  assert.ok(pauses >= 10 && pauses < 200, String(pauses));
});

test("the indexes are left as they were: merging twice gives the same", () => {
  const layers = [
    layer(file("a", "1"), hardlink("b", "a"), dir("d", { xattrs: { "user.a": "b" } })),
    layer(opaque("d"), hardlink("late", "d/x"), file("d/x"), dir("d", { mode: 0o700 }), whiteout("a")),
  ];
  const before = structuredClone(layers);
  const once = listing(merge(layers));
  assert.deepEqual(listing(merge(layers)), once);
  assert.deepEqual(structuredClone(layers), before);
});

test("a refusal names layer, entry, name and rule, and shows no byte that a terminal would obey", () => {
  const bad = layer(file("ok"), file("../\u001b[31mred"));
  const error = assertRefused([layer(), bad], {
    rule: "path-escapes-root",
    entry: 2,
    reason: "LAYER_UNSAFE",
  });
  assert.equal(error.facts["name"], "../\\x1b[31mred");
  assert.ok(error.message.includes(bad.blobDigest.slice(7, 19)));
  assert.ok(!error.message.includes("\u001b"));
});
