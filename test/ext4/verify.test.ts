import assert from "node:assert/strict";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { runThrough } from "../../src/base/slices.ts";
import { Ext4Image } from "../../src/ext4/read/image.ts";
import {
  compareTree,
  inspectImage,
  verifyImage,
  type Difference,
  type VerifyDepth,
} from "../../src/ext4/verify.ts";
import { debugfs, makeImage, Scratch } from "./image-maker.ts";
import { accessAcl, noise, sampleTree } from "./sample-tree.ts";
import {
  buildTree,
  device,
  dir,
  fifo,
  file,
  link,
  sparse,
  type BuiltTree,
  type Described,
} from "./tree-builder.ts";

const mkfs = ["-b", "4096"];

function compare(path: string, { tree }: BuiltTree, depth: VerifyDepth = "full"): readonly Difference[] {
  using image = Ext4Image.open(path);
  return runThrough(compareTree(image, tree, { depth })).differences;
}

/** `path field`, to say what differs in one line. */
function places(differences: readonly Difference[]): string[] {
  return differences.map(({ path, field }) => `${path} ${field}`).sort();
}

const time = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

/** What is in the image of the tests below, unless a change says otherwise. */
const plain: Readonly<Record<string, Described>> = {
  file: file("content", { mode: 0o640, uid: 10, gid: 20, xattrs: { "user.a": "1", "user.b": "2" } }),
  empty: file(""),
  link: link("target"),
  device: device("character", 10, 200),
  fifo: fifo(),
  folder: dir({ inner: dir() }),
  sparse: sparse(100_000, [{ offset: 50_000, bytes: Buffer.from("data") }]),
  acl: file("", { xattrs: { "system.posix_acl_access": accessAcl } }),
};

/** Each is a tree that the image of `plain` must not pass for, and what must be named. */
const changes: readonly (readonly [name: string, Readonly<Record<string, Described>>, string[]])[] = [
  ["a mode", { file: file("content", { ...plain["file"]?.meta, mode: 0o641 }) }, ["/file mode"]],
  ["a setuid bit", { file: file("content", { ...plain["file"]?.meta, mode: 0o4640 }) }, ["/file mode"]],
  ["an owner", { file: file("content", { ...plain["file"]?.meta, uid: 11 }) }, ["/file uid"]],
  [
    "an owner beyond 16 bits",
    { file: file("content", { ...plain["file"]?.meta, uid: 65_546 }) },
    ["/file uid"],
  ],
  ["a group", { folder: dir({ inner: dir() }, { gid: 1 }) }, ["/folder gid"]],
  [
    "a nanosecond",
    { link: link("target", { mtime: { ...time, nanoseconds: 123_456_788 } }) },
    ["/link mtime"],
  ],
  ["a second", { fifo: fifo({ mtime: { ...time, seconds: time.seconds + 1 } }) }, ["/fifo mtime"]],
  ["the epoch", { fifo: fifo({ mtime: { ...time, seconds: time.seconds + 2 ** 32 } }) }, ["/fifo mtime"]],
  ["a byte", { file: file("Content", plain["file"]?.meta) }, ["/file content"]],
  ["a size", { file: file("content ", plain["file"]?.meta) }, ["/file size"]],
  ["a target", { link: link("targeT") }, ["/link target"]],
  ["a major number", { device: device("character", 11, 200) }, ["/device device"]],
  ["a minor number", { device: device("character", 10, 201) }, ["/device device"]],
  ["a kind of device", { device: device("block", 10, 200) }, ["/device type"]],
  ["a type", { empty: fifo() }, ["/empty type"]],
  ["a directory for a file", { empty: dir() }, ["/ link count", "/empty type"]],
  ["an xattr too few", { empty: file("", { xattrs: { "user.x": "" } }) }, ["/empty xattr user.x"]],
  ["an xattr too many", { acl: file("") }, ["/acl xattr system.posix_acl_access"]],
  [
    "an xattr's value",
    { file: file("content", { ...plain["file"]?.meta, xattrs: { "user.a": "1", "user.b": "3" } }) },
    ["/file xattr user.b"],
  ],
  ["a name too few", { another: file("") }, ["/another name"]],
  ["a name in a folder", { folder: dir({ inner: dir(), deep: file("") }) }, ["/folder/deep name"]],
  ["a folder too many", { folder: dir() }, ["/folder link count", "/folder/inner name"]],
  [
    "data in a hole",
    { sparse: sparse(100_000, [{ offset: 50_000, bytes: Buffer.from("dat") }]) },
    ["/sparse content"],
  ],
  [
    "data elsewhere",
    { sparse: sparse(100_000, [{ offset: 10, bytes: Buffer.from("data") }]) },
    ["/sparse content", "/sparse content"],
  ],
];

test("every single change of the tree is found, and nothing else", async (t) => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir(plain)), { mkfs });
  assert.deepEqual(compare(path, buildTree(dir(plain))), []);
  for (const [name, change, expected] of changes) {
    await t.test(name, () => {
      assert.deepEqual(places(compare(path, buildTree(dir({ ...plain, ...change })))), expected);
    });
  }
});

test("a difference says what was expected and what was found", () => {
  using scratch = new Scratch();
  const path = makeImage(
    scratch,
    buildTree(dir({ "a\\b": file("", { mode: 0o600, xattrs: { "user.x": "a" } }) })),
    { mkfs },
  );
  const tree = buildTree(dir({ "a\\b": file("", { mode: 0o4755, xattrs: { "user.x": "b" } }) }));
  assert.deepEqual(compare(path, tree), [
    { path: "/a\\\\b", field: "mode", expected: "4755", found: "0600" },
    { path: "/a\\\\b", field: "xattr user.x", expected: "0x62", found: "0x61" },
  ]);
});

test("names that share an inode in the tree share one in the image, and no others do", () => {
  using scratch = new Scratch();
  const shared = file("x");
  const together = buildTree(dir({ a: shared, b: shared, c: dir({ d: shared }) }));
  const apart = buildTree(dir({ a: file("x"), b: file("x"), c: dir({ d: file("x") }) }));
  const other = file("x");
  const crossed = buildTree(dir({ a: shared, b: other, c: dir({ d: shared }), e: other }));
  const imageOfTogether = makeImage(scratch, together, { mkfs });
  assert.deepEqual(compare(imageOfTogether, together), []);
  const unshared = compare(imageOfTogether, apart).map(({ field }) => field);
  assert.deepEqual(unshared.sort(), ["hard link", "hard link", "link count"]);
  assert.ok(places(compare(imageOfTogether, crossed)).some((place) => place.endsWith("hard link")));
  const imageOfApart = makeImage(scratch, apart, { mkfs });
  assert.deepEqual(compare(imageOfApart, apart), []);
  const unlinked = compare(imageOfApart, together).map(({ field }) => field);
  assert.equal(unlinked.filter((field) => field === "hard link").length, 2);
});

test("a file that is less sparse than the tree says is the same file", () => {
  using scratch = new Scratch();
  const bytes = Buffer.concat([Buffer.alloc(50_000), noise(100), Buffer.alloc(49_900)]);
  const path = makeImage(
    scratch,
    buildTree(dir({ f: sparse(100_000, [{ offset: 50_000, bytes: noise(100) }]) })),
    { mkfs },
  );
  debugfs(scratch, path, ["fallocate /f 0 24"]);
  assert.deepEqual(compare(path, buildTree(dir({ f: file(bytes) }))), []);
  const pieces = [
    { offset: 0, bytes: Buffer.alloc(10) },
    { offset: 49_990, bytes: Buffer.concat([Buffer.alloc(10), noise(100)]) },
  ];
  assert.deepEqual(compare(path, buildTree(dir({ f: sparse(100_000, pieces) }))), []);
});

test("mke2fs's own lost+found is accepted while it is empty and root's", () => {
  using scratch = new Scratch();
  const built = buildTree(dir({ a: file("a") }));
  const path = makeImage(scratch, built, { mkfs });
  assert.deepEqual(compare(path, built), []);
  debugfs(scratch, path, ["sif /lost+found uid 5"]);
  assert.deepEqual(places(compare(path, built)), ["/ link count", "/lost+found name"]);
  debugfs(scratch, path, ["sif /lost+found uid 0", "cd /lost+found", "mknod x p"]);
  assert.deepEqual(places(compare(path, built)), ["/ link count", "/lost+found name"]);
  const own = buildTree(dir({ a: file("a"), "lost+found": dir({}, { mode: 0o755 }) }));
  assert.deepEqual(places(compare(path, own)), [
    "/lost+found mode",
    "/lost+found mtime",
    "/lost+found/x name",
  ]);
});

test("the list is bounded, and says so", () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir()), { mkfs });
  const many = buildTree(dir(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}`, file("")]))));
  using image = Ext4Image.open(path);
  const { differences, truncated } = runThrough(
    compareTree(image, many.tree, { depth: "full", maxDifferences: 10 }),
  );
  assert.equal(differences.length, 10);
  assert.equal(truncated, true);
  const exact = runThrough(compareTree(image, many.tree, { depth: "full", maxDifferences: 50 }));
  assert.equal(exact.truncated, false);
});

test("others get their turn between the names of one directory", () => {
  using scratch = new Scratch();
  const files = Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`f${at}`, file("")]));
  const built = buildTree(dir({ many: dir(files) }));
  using image = Ext4Image.open(makeImage(scratch, built, { sizeMiB: 64, mkfs: ["-N", "4000"] }));
  let inodes = 0;
  const inode = image.inode.bind(image);
  image.inode = (number) => {
    inodes++;
    return inode(number);
  };
  // The pauses at which only the inodes of the few directories have been looked at.
  let early = 0;
  for (const _ of compareTree(image, built.tree, { depth: "metadata" })) if (inodes <= 4) early++;
  assert.ok(early >= 20, `${early} pauses`);
});

test("depth metadata leaves contents alone", () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir({ f: file("abc") })), { mkfs });
  const other = buildTree(dir({ f: file("abd") }));
  assert.deepEqual(compare(path, other, "metadata"), []);
  assert.deepEqual(places(compare(path, other, "full")), ["/f content"]);
});

const verifyOptions = { depth: "full", limits: defaultLimits, signal: new AbortController().signal } as const;

test("verifyImage passes a sound image and counts", async () => {
  using scratch = new Scratch();
  const built = sampleTree();
  const path = makeImage(scratch, built, { mkfs });
  const verdict = await verifyImage({ path, tree: built.tree, ...verifyOptions });
  assert.equal(verdict.fsck.clean, true);
  assert.equal(verdict.inodeCount, built.tree.inodeCount);
  assert.equal(verdict.contentBytesHashed, built.tree.contentBytes);
});

test("verifyImage throws VERIFY_FAILED naming the first differences", async () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir({ f: file("abc") })), { mkfs });
  const { tree } = buildTree(dir({ f: file("abd", { uid: 3 }) }));
  await assert.rejects(verifyImage({ path, tree, ...verifyOptions }), (error) => {
    assert.ok(hasReason(error, "VERIFY_FAILED"));
    assert.match(error.message, /\/f: uid is 0, should be 3; \/f: content is sha256:/u);
    assert.equal(error.facts["field"], "uid");
    return true;
  });
});

test("verifyImage throws where e2fsck alone finds something", async () => {
  using scratch = new Scratch();
  const built = buildTree(dir({ f: file("abc") }));
  const path = makeImage(scratch, built, { mkfs });
  // A block that is in use is marked as free: no reader of files can tell.
  debugfs(scratch, path, ["freeb 30"]);
  const verdict = await inspectImage({ path, tree: built.tree, ...verifyOptions });
  assert.deepEqual(verdict.differences, []);
  assert.equal(verdict.fsck.clean, false);
  await assert.rejects(verifyImage({ path, tree: built.tree, ...verifyOptions }), (error) => {
    return hasReason(error, "VERIFY_FAILED") && /e2fsck found problems: .*bitmap/iu.test(error.message);
  });
});

test("verifyImage stops when it is told to", async () => {
  using scratch = new Scratch();
  const built = buildTree(dir({ f: file("abc") }));
  const path = makeImage(scratch, built, { mkfs });
  const signal = AbortSignal.abort();
  await assert.rejects(verifyImage({ path, tree: built.tree, ...verifyOptions, signal }), (error) =>
    hasReason(error, "CANCELLED"),
  );
});
