import assert from "node:assert/strict";
import { after, test } from "node:test";
import { byteString } from "../../../src/base/bytes.ts";
import { hasReason } from "../../../src/base/error.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
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
  return resolvePath(image, byteString(Buffer.from(path, "latin1")), { followLast });
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

function isUnknown(error: unknown): boolean {
  return hasReason(error, "FILE_UNKNOWN");
}
