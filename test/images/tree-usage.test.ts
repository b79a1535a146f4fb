import assert from "node:assert/strict";
import test from "node:test";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { runThrough } from "../../src/base/slices.ts";
import { treeUsage, type TreeUsage, type UsageOptions } from "../../src/images/tree-usage.ts";
import { inodeAt } from "../../src/layers/tree-walk.ts";
import { dir, file, hardlink, layer, merge, sparse, symlink } from "../layers/index-builder.ts";

const tree = merge([
  layer(
    dir("./"),
    file("big", "x".repeat(1000)),
    file("usr/lib/one", "x".repeat(300)),
    file("usr/lib/deep/two", "x".repeat(50)),
    file("usr/bin/sh", "x".repeat(200)),
    hardlink("bin/sh", "usr/bin/sh"),
    symlink("link", "big"),
    file("empty"),
  ),
  layer(file("usr/lib/one", "x".repeat(400)), sparse("hole", 1 << 30, [{ offset: 0, length: 10 }])),
]);

function usage(options: Partial<UsageOptions> = {}, path = ""): TreeUsage {
  const folder = inodeAt(tree.root, utf8Bytes(path));
  assert.ok(folder?.kind === "directory");
  const layerOf: UsageOptions["layerOf"] = ({ origin }) => origin.layer;
  return runThrough(treeUsage(folder, { path: utf8Bytes(path), depth: 1, limit: 100, layerOf, ...options }));
}

const brief = (list: TreeUsage["folders"]) => list.map(({ path, contentBytes }) => `${path} ${contentBytes}`);

test("what is large, by folder, file and layer; a hard-linked file counts once, where its first name is", () => {
  const { total, folders, files, layers, truncated } = usage();
  assert.deepEqual(total, { contentBytes: tree.contentBytes, inodes: tree.inodeCount });
  assert.equal(tree.contentBytes, 1660);
  assert.deepEqual(brief(folders), ["usr 450", "bin 200"]);
  assert.deepEqual(brief(files), [
    "big 1000",
    "usr/lib/one 400",
    "bin/sh 200",
    "usr/lib/deep/two 50",
    "hole 10",
  ]);
  assert.deepEqual(
    layers?.map(({ layer: at, contentBytes }) => [at, contentBytes]),
    [
      [0, 1250],
      [1, 410],
    ],
  );
  assert.equal(
    layers?.reduce((sum, { inodes }) => sum + inodes, 0),
    tree.inodeCount,
  );
  assert.equal(truncated, false);
});

test("deeper folders are told apart where asked for, each with all that is in it", () => {
  assert.deepEqual(brief(usage({ depth: 2 }).folders), ["usr 450", "usr/lib 450", "bin 200", "usr/bin 0"]);
  assert.deepEqual(brief(usage({ depth: 9 }).folders).slice(0, 3), ["usr 450", "usr/lib 450", "bin 200"]);
  assert.deepEqual(usage({ depth: 0 }).folders, []);
});

test("below a folder, by whole paths", () => {
  const { total, folders, files } = usage({}, "usr");
  // Here the file's first name is another.
  assert.equal(total.contentBytes, 650);
  assert.deepEqual(brief(folders), ["usr/lib 450", "usr/bin 200"]);
  assert.deepEqual(brief(files), ["usr/lib/one 400", "usr/bin/sh 200", "usr/lib/deep/two 50"]);
});

test("a list that is cut holds the largest, and says so", () => {
  const { folders, files, truncated } = usage({ limit: 1 });
  assert.deepEqual([brief(folders), brief(files), truncated], [["usr 450"], ["big 1000"], true]);
  // Of files alone, and of neither.
  assert.equal(usage({ limit: 2 }).truncated, true);
  assert.equal(usage({ limit: 5 }).truncated, false);
});

test("the largest of very many files are found without keeping all", () => {
  const many = merge([
    layer(
      dir("./"),
      ...Array.from({ length: 5000 }, (_, at) => file(`f${at}`, "x".repeat(1 + ((at * 7919) % 5000)))),
    ),
  ]);
  const { files } = runThrough(
    treeUsage(many.root, { path: utf8Bytes(""), depth: 1, limit: 3, layerOf: undefined }),
  );
  assert.deepEqual(
    files.map(({ contentBytes }) => contentBytes),
    [5000, 4999, 4998],
  );
});

test("a folder with more names than a call takes arguments", () => {
  const layers = [0, 1, 2].map((at) =>
    layer(...Array.from({ length: 60_000 }, (_, i) => file(`f${at}-${i}`, "x"))),
  );
  const wide = merge(layers);
  const options = { path: utf8Bytes(""), depth: 1, limit: 3, layerOf: undefined };
  assert.equal(runThrough(treeUsage(wide.root, options)).total.contentBytes, 180_000);
});

test("nobody knows the layers of an image that doesn't say", () => {
  assert.equal(usage({ layerOf: undefined }).layers, undefined);
});
