import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../../src/base/error.ts";
import { runThrough } from "../../../src/base/slices.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { inodeFlags } from "../../../src/ext4/read/inode.ts";
import { whileMounted, whileMountedWritable } from "../../system/mounted.ts";
import { runProgram } from "../../system/program.ts";
import { Scratch, program } from "../image-maker.ts";
import { noise, sampleTree } from "../sample-tree.ts";
import { bytesOf } from "../tree-layers.ts";
import {
  buildTree,
  dir,
  file,
  link,
  sparse,
  type BuiltTree,
  type Described,
  type Piece,
} from "../tree-builder.ts";
import { inspect } from "./inspect.ts";
import { writeImage } from "./write-image.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

function many(count: number, make: (i: number) => readonly [string, Described]): Record<string, Described> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => make(i)));
}

function latin1(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

/** A name of `bytes` bytes that has `i` in it, and bytes past 127 to tell signed hashes from unsigned. */
function oddName(i: number, bytes: number): string {
  return `${i}\xe9\xff`.padEnd(bytes, String.fromCharCode(0x80 + (i % 100)));
}

/** The extents flag alone, or that of a hash tree besides. */
function isHashed(path: string, name: string): boolean {
  using image = Ext4Image.open(path);
  const number = runThrough(image.lookup(image.inode(2), bytesOf(name)));
  return number !== undefined && (image.inode(number).flags & inodeFlags.hashedDirectory) !== 0;
}

test("50,000 names in a directory: the kernel finds each by its hash, and no other", async () => {
  using scratch = new Scratch();
  const names = Array.from({ length: 50_000 }, (_, i) => oddName(i, 8 + (i % 40)));
  const shared = file("");
  const built = buildTree(
    dir({ large: dir(Object.fromEntries(names.map((name) => [name, link(name)]))), shared }),
  );
  const path = scratch.file("large.ext4");
  writeImage(built, path);
  await inspect(path, built);
  assert.ok(isHashed(path, "large"));
  whileMounted(path, (folder) => {
    for (const name of names) lstatSync(latin1(`${folder}/large/${name}`));
    for (let i = 0; i < 1000; i++) assert.equal(existsSync(`${folder}/large/missing${i}`), false);
    assert.deepEqual(readdirSync(`${folder}/large`, "latin1").sort(), names.toSorted());
  });
});

test("a hash tree of two levels", async () => {
  using scratch = new Scratch();
  // 15 names of 255 bytes a block, more than 507 blocks.
  const names = Array.from({ length: 9000 }, (_, i) => oddName(i, 255));
  const same = file("x");
  const built = buildTree(dir({ large: dir(Object.fromEntries(names.map((name) => [name, same]))) }));
  const path = scratch.file("deep.ext4");
  writeImage(built, path);
  await inspect(path, built);
  assert.match(program("debugfs", ["-R", "htree_dump /large", path]), /Indirect levels: 1/u);
  whileMounted(path, (folder) => {
    for (const name of names) assert.equal(lstatSync(latin1(`${folder}/large/${name}`)).nlink, 9000);
  });
});

test("the kernel goes on with what was made: names come and go, files grow, and e2fsck is content", async () => {
  using scratch = new Scratch();
  const built = buildTree(
    dir({
      ...many(20, (d) => [`d${d}`, dir(many(300, (i) => [`name ${i}`, file(`${i}`)]))]),
      full: dir(many(15, (i) => [oddName(i, 240), file("")])),
      log: file(noise(10_000)),
    }),
  );
  const path = scratch.file("used.ext4");
  writeImage(built, path);
  whileMountedWritable(path, (folder) => {
    for (let d = 0; d < 20; d++) {
      for (let i = 0; i < 300; i += 2) unlinkSync(`${folder}/d${d}/name ${i}`);
      for (let i = 0; i < 120; i++) writeFileSync(`${folder}/d${d}/new ${i}`, noise(i * 20, `${d}.${i}`));
      mkdirSync(`${folder}/d${d}/sub/dir`, { recursive: true });
    }
    for (let i = 0; i < 800; i++) writeFileSync(`${folder}/full/more ${i}`, "");
    writeFileSync(`${folder}/log`, noise(3 * MiB), { flag: "a" });
    assert.equal(readdirSync(`${folder}/full`).length, 815);
  });
  program("e2fsck", ["-fn", path]);
  whileMounted(path, (folder) => {
    assert.deepEqual(readFileSync(`${folder}/log`), Buffer.concat([noise(10_000), noise(3 * MiB)]));
    assert.deepEqual(readFileSync(`${folder}/d7/new 119`), noise(119 * 20, "7.119"));
  });
});

test("inodes share a block of xattrs until the kernel changes one's", async () => {
  using scratch = new Scratch();
  const xattrs = { "user.shared": noise(300), "user.too": "x", "trusted.\xff\x80": noise(90) };
  const built = buildTree(
    dir({
      ...many(1500, (i) => [`f${i}`, file(`${i}`, { xattrs })]),
      other: file("", { xattrs: { "user.other": noise(300) } }),
    }),
  );
  const path = scratch.file("shared.ext4");
  const { plan } = writeImage(built, path);
  // 1,024 inodes may share a block; the rest share another.
  assert.deepEqual(
    plan.metadata.xattrs.blocks.map(({ sharers }) => sharers),
    [1024, 476, 1],
  );
  await inspect(path, built);
  whileMountedWritable(path, (folder) => {
    runProgram("setfattr", ["-n", "user.shared", "-v", "mine", join(folder, "f3")]);
    runProgram("setfattr", ["-x", "user.shared", join(folder, "f4")]);
    runProgram("setfattr", ["-n", "user.new", "-v", "more", join(folder, "f1200")]);
    for (let i = 10; i < 1100; i++) unlinkSync(join(folder, `f${i}`));
  });
  program("e2fsck", ["-fn", path]);
  const valueOf = (folder: string, name: string): string =>
    runProgram("getfattr", ["--only-values", "-n", "user.shared", join(folder, name)]);
  whileMounted(path, (folder) => {
    assert.equal(valueOf(folder, "f3"), "mine");
    assert.equal(valueOf(folder, "f5"), noise(300).toString("utf8"));
    assert.equal(valueOf(folder, "f1499"), noise(300).toString("utf8"));
  });
});

test("65,000 names of one inode, and more subdirectories than a link count holds", async () => {
  using scratch = new Scratch();
  const shared = file("shared");
  const built = buildTree(
    dir({
      links: dir(many(65_000, (i) => [`l${i}`, shared])),
      dirs: dir(many(65_001, (i) => [`d${i}`, dir()])),
    }),
  );
  const path = scratch.file("links.ext4");
  writeImage(built, path);
  await inspect(path, built);
  whileMounted(path, (folder) => {
    assert.equal(statSync(join(folder, "links/l64999")).nlink, 65_000);
    assert.equal(statSync(join(folder, "dirs")).nlink, 1);
  });
});

test("files of 5, 341 and 1,500 extents, and one of 20 GiB with hardly anything in it", async () => {
  using scratch = new Scratch();
  const pieces = (count: number, bytes: number): Piece[] =>
    Array.from({ length: count }, (_, i) => ({
      offset: i * 8192 + (i % 3) * 100,
      bytes: noise(bytes, `${i}`),
    }));
  const built = buildTree(
    dir({
      four: sparse(4 * 8192, pieces(4, 10)),
      five: sparse(5 * 8192, pieces(5, 10)),
      leaf: sparse(340 * 8192, pieces(340, 3000)),
      leaves: sparse(341 * 8192, pieces(341, 3000)),
      more: sparse(1500 * 8192, pieces(1500, 3000)),
      wide: sparse(20 * GiB, [
        { offset: 5, bytes: noise(10) },
        { offset: 20 * GiB - 10, bytes: noise(10) },
      ]),
    }),
  );
  const path = scratch.file("extents.ext4");
  writeImage(built, path);
  await inspect(path, built);
  using image = Ext4Image.open(path);
  const extents = (name: string): number =>
    [...image.extents(image.inode(runThrough(image.lookup(image.inode(2), bytesOf(name))) ?? 0))].length;
  assert.deepEqual(["four", "five", "leaves", "more"].map(extents), [4, 5, 341, 1500]);
  whileMounted(path, (folder) => {
    assert.equal(statSync(join(folder, "wide")).size, 20 * GiB);
    const last = pieces(1500, 3000).at(-1);
    assert.ok(last !== undefined);
    assert.deepEqual(
      readFileSync(join(folder, "more")).subarray(last.offset, last.offset + 3000),
      last.bytes,
    );
  });
});

test("a file larger than a group lies in as few extents as groups allow", async () => {
  using scratch = new Scratch();
  const built = buildTree(dir({ a: file(Buffer.alloc(300 * MiB, 1)), b: file("behind") }));
  const path = scratch.file("long.ext4");
  writeImage(built, path);
  await inspect(path, built);
  using image = Ext4Image.open(path);
  const number = runThrough(image.lookup(image.inode(2), bytesOf("a"))) ?? 0;
  // An extent holds 128 MiB; a copy of the superblock lies in group 1.
  assert.ok([...image.extents(image.inode(number))].length <= 5);
});

test("a file system of 600 GiB: groups without anything in them take no space, and resize2fs can go on", async () => {
  using scratch = new Scratch();
  const path = scratch.file("huge.ext4");
  const built = sampleTree();
  writeImage(built, path, { sizeBytes: 600 * GiB });
  await inspect(path, built);
  assert.ok(statSync(path).blocks * 512 < 40 * MiB);
  whileMountedWritable(path, (folder) => writeFileSync(join(folder, "new"), noise(5 * MiB)));
  program("e2fsck", ["-fn", path]);
});

for (const [what, sizeBytes] of [
  ["64 MiB", undefined],
  ["1 GiB", GiB],
  ["9 GiB, with all sparse copies and a second flexible group", 9 * GiB],
] as const) {
  test(`resize2fs makes four times as much of ${what}`, async () => {
    using scratch = new Scratch();
    const path = scratch.file("grown.ext4");
    const built = sampleTree();
    const { plan } = writeImage(built, path, sizeBytes === undefined ? {} : { sizeBytes });
    program("resize2fs", [path, `${(plan.sizeBytes * 4) / 1024}K`]);
    await inspect(path, built);
    assert.equal(statSync(path).size, plan.sizeBytes * 4);
    program("resize2fs", ["-M", path]);
    await inspect(path, built);
  });
}

test("the least size that is allowed works, and one MiB less is refused", async () => {
  const trees: readonly (() => BuiltTree)[] = [
    () => buildTree(dir()),
    () => sampleTree(),
    () => buildTree(dir(many(5000, (i) => [oddName(i, 255), file("x")]))),
    () => buildTree(dir({ many: dir(many(40_000, (i) => [`f${i}`, file("")])) })),
    () =>
      buildTree(
        dir(
          many(700, (i) => [
            `d${i}`,
            dir({ x: link("x".repeat(60), { xattrs: { "user.x": noise(200, `${i}`) } }) }),
          ]),
        ),
      ),
  ];
  for (const make of trees) {
    using scratch = new Scratch();
    const built = make();
    const least = leastSize(built, scratch);
    const path = scratch.file("tight.ext4");
    writeImage(built, path, { sizeBytes: least });
    await inspect(path, built);
    assert.throws(
      () => writeImage(built, scratch.file("tighter.ext4"), { sizeBytes: least - MiB }),
      (error) => hasReason(error, "SIZE_TOO_SMALL"),
    );
  }
});

/** What the refusal of a single block says. */
function leastSize(built: BuiltTree, scratch: Scratch): number {
  try {
    writeImage(built, scratch.file("none.ext4"), { sizeBytes: 4096 });
  } catch (error) {
    if (hasReason(error, "SIZE_TOO_SMALL")) return Number(error.facts["minimumBytes"]);
    throw error;
  }
  return assert.fail("a single block was enough");
}
