import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { fsck, fsckIfThere, parseProblems } from "../../src/ext4/fsck.ts";
import { writeImage } from "./direct/write-image.ts";
import { debugfs, makeImage, Scratch } from "./image-maker.ts";
import { buildTree, dir, file } from "./tree-builder.ts";

const options = { limits: defaultLimits, signal: new AbortController().signal };

test("a sound image is clean, without a word about problems", async () => {
  using scratch = new Scratch();
  const report = await fsck(makeImage(scratch, buildTree(dir({ f: file("abc") }))), options);
  assert.equal(report.clean, true);
  assert.deepEqual(report.problems, []);
});

test("problems are named", async () => {
  using scratch = new Scratch();
  const path = makeImage(scratch, buildTree(dir({ f: file("abc") })));
  debugfs(scratch, path, ["sif /f links_count 7"]);
  const { clean, problems } = await fsck(path, options);
  assert.equal(clean, false);
  assert.match(problems[0] ?? "", /ref count is 7, should be 1/u);
});

test("times from 2310-04-04 to 2378-04-22 are those that it takes for mistaken ones", async () => {
  using scratch = new Scratch();
  const complaints: string[] = [];
  for (const seconds of [0x27fffffff, 0x280000000, 0x2ffffffff, 0x300000000]) {
    const path = scratch.file(String(seconds));
    writeImage(buildTree(dir({ f: file("abc", { mtime: { seconds, nanoseconds: 5 } }) })), path);
    const { problems } = await fsck(path, options);
    if (problems.some((line) => /beyond 2310-04-04 are likely pre-1970/.test(line))) {
      complaints.push(seconds.toString(16));
    }
  }
  assert.deepEqual(complaints, ["280000000", "2ffffffff"]);
});

test("what is no file system is not clean", async () => {
  using scratch = new Scratch();
  const path = scratch.file("zeros");
  writeFileSync(path, Buffer.alloc(1 << 20));
  const { clean, problems } = await fsck(path, options);
  assert.equal(clean, false);
  assert.ok(problems.some((line) => /magic/u.test(line)));
});

test("a machine without e2fsck is told what to install", async () => {
  await assert.rejects(fsck("/tmp/rootfs.ext4", { ...options, program: "/nowhere/e2fsck" }), (error) => {
    return hasReason(error, "E2FSPROGS_MISSING") && /apt install e2fsprogs/u.test(error.hint ?? "");
  });
});

test("an e2fsck that can't do its work is not a verdict", async () => {
  // Ends with 2, which for e2fsck is "reboot the system".
  await assert.rejects(fsck("/nowhere/rootfs.ext4", { ...options, program: "ls" }), (error) =>
    hasReason(error, "E2FSPROGS_FAILED"),
  );
});

test("a question mark in the path is refused: e2fsprogs would cut it off", async () => {
  await assert.rejects(fsck("/tmp/a?b/rootfs.ext4", options), (error) => hasReason(error, "OPTION_INVALID"));
});

test("parseProblems leaves out what e2fsck says of itself", () => {
  const output = [
    "e2fsck 1.47.0 (5-Feb-2023)",
    "Pass 1: Checking inodes, blocks, and sizes",
    "Inode 12, i_blocks is 8, should be 0.  Fix? no",
    "",
    "Pass 3A: Optimizing directories",
    "/x: ********** WARNING: Filesystem still has errors **********",
    "/x: 12/64 files (0.0% non-contiguous), 13/64 blocks",
  ].join("\n");
  assert.deepEqual(parseProblems(output), [
    "Inode 12, i_blocks is 8, should be 0.  Fix? no",
    "/x: ********** WARNING: Filesystem still has errors **********",
  ]);
});

test("where e2fsck may be missing, it is left out", async () => {
  const report = await fsckIfThere("/nowhere.ext4", { ...options, program: "/nowhere/e2fsck" });
  assert.deepEqual(report, { ran: false, clean: true, problems: [], output: "" });
});

test("one that is there and can't do its work is an error all the same", async () => {
  await assert.rejects(fsckIfThere("/nowhere/rootfs.ext4", { ...options, program: "ls" }), (error) =>
    hasReason(error, "E2FSPROGS_FAILED"),
  );
});

test("of a file system that was overwritten, the first problems are told, and how many more there are", () => {
  const lines = Array.from({ length: 70_000 }, (_, i) => `Inode ${i} ${"x".repeat(1000)}`);
  const problems = parseProblems(["e2fsck 1.47.0 (5-Feb-2023)", ...lines].join("\n"));
  assert.equal(problems.length, 501);
  assert.match(problems[0] ?? "", /^Inode 0 x+$/);
  assert.ok(problems.every(({ length }) => length <= 500));
  assert.equal(problems.at(-1), "… and 69500 more lines");
});
