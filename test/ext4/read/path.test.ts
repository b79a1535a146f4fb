import assert from "node:assert/strict";
import { after, test } from "node:test";
import { runThrough, type Sliced } from "../../../src/base/slices.ts";
import { byteString, utf8Bytes } from "../../../src/base/bytes.ts";
import { hasReason } from "../../../src/base/error.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import type { Ext4Inode } from "../../../src/ext4/read/inode.ts";
import { resolvePath } from "../../../src/ext4/read/path.ts";
import { makeImage, Scratch } from "../image-maker.ts";
import { buildTree, dir, file, link } from "../tree-builder.ts";

const chain = Object.fromEntries(
  Array.from({ length: 41 }, (_, i) => [`link${i}`, link(i === 0 ? "usr/bin/sh" : `link${i - 1}`)]),
);
const built = buildTree(
  dir({
    ...chain,
    bin: link("usr/bin"),
    sh: link("/bin/../bin/sh"),
    usr: dir({ bin: dir({ sh: file("#!"), up: link("../../../../../etc/passwd"), here: link(".") }) }),
    etc: dir({ passwd: file("root"), mtab: link("/proc/mounts") }),
    loop: link("loop"),
  }),
);
const scratch = new Scratch();
const image = Ext4Image.open(makeImage(scratch, built));
after(() => {
  image[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

function find(path: string, followLast = true) {
  return runThrough(resolvePath(image, byteString(Buffer.from(path, "latin1")), { followLast }));
}

function content(path: string): string {
  const inode = find(path);
  return image.read(inode, 0, inode.size).toString("latin1");
}

test("links are followed inside of the image's root", () => {
  assert.equal(content("/bin/sh"), "#!");
  assert.equal(content("bin//./sh"), "#!");
  assert.equal(content("/sh"), "#!");
  assert.equal(content("/bin/up"), "root");
  assert.equal(content("/bin/here/here/sh"), "#!");
  assert.equal(content("/usr/bin/../../etc/passwd"), "root");
  assert.equal(content("/../../../etc/passwd"), "root");
  assert.equal(content("/bin/../../etc/passwd"), "root");
});

test("the root has many names", () => {
  for (const path of ["", "/", ".", "..", "//", "/usr/.."]) assert.equal(find(path).number, 2, path);
});

test("the last link is followed on request, or where a slash follows it", () => {
  assert.equal(find("/bin", false).kind, "symlink");
  assert.equal(find("/bin", true).kind, "directory");
  assert.equal(find("/bin/", false).kind, "directory");
});

test("forty links are followed, no more", () => {
  assert.equal(content("/link39"), "#!");
  assert.throws(() => content("/link40"), isUnknown);
  assert.throws(() => content("/loop"), isUnknown);
});

test("what leads nowhere is FILE_UNKNOWN", () => {
  for (const path of ["/nothing", "/etc/passwd/x", "/etc/passwd/", "/etc/passwd/..", "/etc/mtab"]) {
    assert.throws(() => find(path), isUnknown, path);
  }
  assert.throws(
    () => find("/".repeat(4097)),
    (error) => hasReason(error, "LIMIT_PATH"),
  );
});

/** Blocks that hold the longest link. */
const roomy = { sizeMiB: 64, mkfs: ["-b", "4096", "-N", "5000"] };

test("a way through millions of names is given up, and others get their turn on it", () => {
  using place = new Scratch();
  const folders = Array.from({ length: 10 }, (_, at) => [`folder${at}`, dir({})]);
  const files = Array.from({ length: 3000 }, (_, at) => [`file${at}`, file("")]);
  const round = folders.map((_, at) => `folder${at}/../`).join("");
  const links = Array.from({ length: 40 }, (_, at) => [
    `link${at}`,
    link(`/many/${round.repeat(35)}../link${at + 1}`),
  ]);
  const many = dir(Object.fromEntries([...files, ...folders]));
  const described = dir({ many, ...Object.fromEntries(links) });
  using large = Ext4Image.open(makeImage(place, buildTree(described), roomy));
  const way = (path: string): Sliced<Ext4Inode> => resolvePath(large, utf8Bytes(path), { followLast: true });
  assert.equal(runThrough(way("/many/folder0/../folder9")).kind, "directory");
  let pauses = 0;
  assert.throws(
    () => {
      for (const _ of way("/link0")) pauses++;
    },
    (error) => hasReason(error, "LIMIT_PATH"),
  );
  assert.ok(pauses > 10_000, `${pauses} pauses`);
  // The next to look there pays for it neither.
  assert.throws(
    () => runThrough(way("/many/folder9")),
    (error) => hasReason(error, "LIMIT_PATH"),
  );
});

function isUnknown(error: unknown): boolean {
  return hasReason(error, "FILE_UNKNOWN");
}
