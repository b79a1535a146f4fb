import assert from "node:assert/strict";
import { test } from "node:test";
import { byteString, utf8Bytes } from "../../src/base/bytes.ts";
import { runThrough } from "../../src/base/slices.ts";
import { listFiles, type ListedFile } from "../../src/images/files.ts";
import { makeImage, Scratch } from "../ext4/image-maker.ts";
import { buildTree, dir, file, link } from "../ext4/tree-builder.ts";

/** Inodes for all, and blocks that hold the longest link. */
const roomy = { sizeMiB: 64, mkfs: ["-b", "4096", "-N", "6000"] };

/** All pages of a folder. */
function pagesOf(rootfs: string, path: string, size: number): readonly (readonly ListedFile[])[] {
  const pages: (readonly ListedFile[])[] = [];
  let after: ListedFile["name"] | undefined;
  do {
    const page = runThrough(listFiles(rootfs, path, { size, after }));
    pages.push(page.files);
    after = page.next;
  } while (after !== undefined);
  return pages;
}

test("pages of any size hold all names once, in the order of their bytes", () => {
  using scratch = new Scratch();
  const names = Array.from({ length: 5000 }, (_, at) => `${(at * 7919) % 5000}`);
  const rootfs = makeImage(
    scratch,
    buildTree(dir({ many: dir(Object.fromEntries(names.map((name) => [name, file("")]))), none: dir({}) })),
    roomy,
  );
  const sorted = names.toSorted();
  for (const size of [1000, 777, 4999, 5000, 5001]) {
    const pages = pagesOf(rootfs, "/many", size);
    assert.equal(pages.length, Math.ceil(names.length / size));
    assert.deepEqual(
      pages.flat().map(({ name }) => name),
      sorted,
    );
  }
  assert.deepEqual(pagesOf(rootfs, "none", 10), [[]]);
  const gone = runThrough(listFiles(rootfs, "many", { size: 2, after: utf8Bytes("~") }));
  assert.deepEqual(
    gone.files.map(({ name }) => name),
    [],
  );
  const one = pagesOf(rootfs, `/many/${sorted[0] ?? ""}`, 2).flat();
  assert.equal(one.length, 1);
  assert.equal(one[0]?.inode.kind, "file");
  assert.deepEqual(
    pagesOf(rootfs, "/", 1)
      .flat()
      .map(({ name }) => name),
    [byteString(Buffer.from("lost+found")), byteString(Buffer.from("many")), byteString(Buffer.from("none"))],
  );
});

test("a page of the longest links fits a message, and so does one of the largest attributes", () => {
  using scratch = new Scratch();
  const target = "t/".repeat(2000);
  const links = Array.from({ length: 1200 }, (_, at) => [`link${at}`, link(target)]);
  const xattrs = { "user.a": Buffer.alloc(3800) };
  const files = Array.from({ length: 1200 }, (_, at) => [`file${at}`, file("", { xattrs })]);
  const rootfs = makeImage(
    scratch,
    buildTree(dir({ links: dir(Object.fromEntries(links)), files: dir(Object.fromEntries(files)) })),
    roomy,
  );
  const value = (listed: ListedFile): number =>
    (listed.linkTarget?.length ?? 0) + listed.xattrs.reduce((sum, xattr) => sum + xattr.value.length, 0);
  for (const path of ["/links", "/files"]) {
    const pages = pagesOf(rootfs, path, 1000);
    assert.equal(pages.flat().length, 1200);
    for (const page of pages) {
      assert.ok(page.reduce((sum, listed) => sum + value(listed), 0) <= 2 * 1024 * 1024, path);
    }
    assert.ok(pages.flat().every((listed) => value(listed) >= 3800));
  }
});
