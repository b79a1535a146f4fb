import assert from "node:assert/strict";
import { openSync, writeSync, closeSync } from "node:fs";
import { open } from "node:fs/promises";
import { test } from "node:test";
import { runThrough } from "../../../src/base/slices.ts";
import { planLayout } from "../../../src/ext4/direct/plan-layout.ts";
import { writeMetadata } from "../../../src/ext4/direct/write-metadata.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { differences } from "../../system/host-tree.ts";
import { readMounted } from "../../system/mounted.ts";
import { awkwardTree } from "../awkward-tree.ts";
import { assertLikeDebugfs } from "../debugfs-oracle.ts";
import { buildAll, inputFor, workFolder } from "../build-rig.ts";
import { Scratch, program } from "../image-maker.ts";
import { sampleTree } from "../sample-tree.ts";
import { bytesOf } from "../tree-layers.ts";
import { dir, buildTree, file, link, type BuiltTree, type Described } from "../tree-builder.ts";
import { inspect } from "./inspect.ts";
import { hashSeed, uuid, writeImage } from "./write-image.ts";

const trees: readonly (readonly [string, () => BuiltTree])[] = [
  ["one of everything", () => sampleTree()],
  ["awkward names, times, owners and xattrs", () => awkwardTree()],
  ["nothing but a root", () => buildTree(dir())],
];

for (const [what, make] of trees) {
  test(`${what}: reader, e2fsck and debugfs find what the tree says`, async () => {
    using scratch = new Scratch();
    const built = make();
    const path = scratch.file("direct.ext4");
    const { plan, facts } = writeImage(built, path);
    await inspect(path, built);
    assert.equal(plan.contentBytes, built.tree.contentBytes);
    assert.equal(facts.inodes, built.tree.inodeCount);
    using image = Ext4Image.open(path);
    assertLikeDebugfs(scratch, path, image);
  });

  test(`${what}: the kernel reads the same as from what mkfs.ext4 and debugfs made`, async () => {
    await using folder = workFolder();
    const built = withoutUnreadable(make());
    const input = await inputFor(built, folder.path);
    await buildAll(input);
    using scratch = new Scratch();
    const path = scratch.file("direct.ext4");
    writeImage(built, path);
    const theirs = readMounted(input.target);
    assert.deepEqual(differences(theirs, readMounted(path)), []);
    assert.ok(theirs.size >= 1);
  });
}

/**
 * Paths of the greatest length are too long below a mount point; what belongs to group 4,294,967,295 is nobody's, and
 * closed even to root (kernel fs/inode.c, `HAS_UNMAPPED_ID`); and a file of 5 GiB takes long to read twice.
 */
const left: ReadonlySet<string> = new Set([
  "deep",
  "steep",
  "sinking",
  "modes",
  "lost+found",
  "sparse",
  "hole",
]);

function withoutUnreadable({ tree, stored }: BuiltTree): BuiltTree {
  if (!tree.root.children.has(bytesOf("deep"))) return { tree, stored };
  const children = new Map([...tree.root.children].filter(([name]) => !left.has(name)));
  const linkCount = 2 + [...children.values()].filter(({ kind }) => kind === "directory").length;
  return { tree: { ...tree, root: { ...tree.root, linkCount, children } }, stored };
}

test("atime, ctime and crtime follow mtime, and tell nothing of when it was built", () => {
  using scratch = new Scratch();
  const path = scratch.file("direct.ext4");
  writeImage(awkwardTree(), path);
  using image = Ext4Image.open(path);
  for (let number = 12; number < 500; number++) {
    const { atime, ctime, crtime, mtime } = image.inode(number);
    assert.deepEqual([atime, ctime, crtime], [mtime, mtime, mtime]);
  }
  const said = program("dumpe2fs", ["-h", path]);
  assert.match(said, /Filesystem created: +Tue May 10 22:38:55 2106|Sun Feb +7 06:28:15 2106/u);
});

test("the same tree gives the same bytes, whatever the order of names in memory", () => {
  using scratch = new Scratch();
  const names = Array.from({ length: 3000 }, (_, i) => `name ${i}`);
  const treeOf = (order: readonly string[]): BuiltTree => {
    const shared = link("x");
    return buildTree(
      dir({
        d: dir(Object.fromEntries(order.map((name) => [name, file("", { mode: name.length })]))),
        a: shared,
        b: shared,
      }),
    );
  };
  const [one, two] = [scratch.file("one.ext4"), scratch.file("two.ext4")];
  writeImage(treeOf(names), one);
  writeImage(treeOf(names.toReversed()), two);
  program("cmp", [one, two]);
});

test("a lost+found of the image's own is kept, and no other kind of thing is built there", async (t) => {
  const names = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`#${i}`, file(`${i}`)]));
  const cases: readonly (readonly [string, Described])[] = [
    ["empty, and somebody's", dir({}, { mode: 0o750, uid: 7, xattrs: { "user.a": "b" } })],
    ["full", dir(names)],
  ];
  for (const [what, found] of cases) {
    await t.test(what, async () => {
      using scratch = new Scratch();
      const path = scratch.file("found.ext4");
      const built = buildTree(dir({ a: dir({ b: file("b") }), "lost+found": found, z: file("z") }));
      const { facts } = writeImage(built, path);
      await inspect(path, built);
      assert.equal(facts.inodes, built.tree.inodeCount);
      program("e2fsck", ["-fy", path]);
    });
  }
  for (const found of [file("mine"), link("elsewhere")]) {
    using scratch = new Scratch();
    const write = () => writeImage(buildTree(dir({ "lost+found": found })), scratch.file("found.ext4"));
    assert.throws(write, { reason: "INTERNAL" });
  }
});

test("a byte changed anywhere in the metadata is found", async () => {
  const built = sampleTree();
  for (const what of ["superblock", "descriptor", "bitmap", "inode", "directory"] as const) {
    using scratch = new Scratch();
    const path = scratch.file("direct.ext4");
    const { plan } = writeImage(built, path);
    const { layout, maps } = plan.metadata;
    const places = {
      superblock: 1024 + 0x10,
      descriptor: 4096 + 0x0c,
      bitmap: (layout.blockBitmaps[0] ?? 0) * 4096 + 7,
      inode: (layout.inodeTables[0] ?? 0) * 4096 + 256 + 2,
      directory: maps.extentsOf(0).physical(0) * 4096 + 30,
    };
    const fd = openSync(path, "r+");
    writeSync(fd, Buffer.from([0xa5]), 0, 1, places[what]);
    closeSync(fd);
    await assert.rejects(inspect(path, built), Error, what);
  }
});

test("written while others have their turn, it is the same; a file that can't be written and an abort end it", async () => {
  using scratch = new Scratch();
  const [path, other] = [scratch.file("direct.ext4"), scratch.file("other.ext4")];
  const names = Array.from({ length: 20_000 }, (_, i) => [`name ${i}`, link(`${i}`)] as const);
  const built = buildTree(dir({ many: dir(Object.fromEntries(names)) }));
  writeImage(built, path);
  const input = { tree: built.tree, layerCount: 3, sizeBytes: undefined, uuid, hashSeed };
  const { metadata, sizeBytes } = runThrough(planLayout(input));
  const { signal } = new AbortController();
  {
    await using file = await open(other, "wx");
    await file.truncate(sizeBytes);
    await writeMetadata(metadata, file, signal);
  }
  program("cmp", [path, other]);
  await using file = await open(other, "r");
  await assert.rejects(writeMetadata(metadata, file, signal), /EBADF/u);
  await assert.rejects(writeMetadata(metadata, file, AbortSignal.abort()), /abort/u);
});
