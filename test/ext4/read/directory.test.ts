import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runThrough } from "../../../src/base/slices.ts";
import { byteString, type ByteString } from "../../../src/base/bytes.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { inodeFlags } from "../../../src/ext4/read/inode.ts";
import { makeImageOf, program, Scratch } from "../image-maker.ts";

const bytes = (latin1: string): ByteString => byteString(Buffer.from(latin1, "latin1"));

/**
 * mke2fs makes linear directories only; `e2fsck -D` hashes them. Names are long and few: mke2fs takes a minute and
 * a half for 30,000 names, as it looks through all of them for each.
 */
const count = 1500;
const cases = [
  { name: "", mkfs: ["-b", "4096"] },
  // More than 123 leaves, so two levels of index blocks.
  { name: ", in small blocks", mkfs: ["-b", "1024"] },
  { name: ", no checksums, block maps", mkfs: ["-b", "1024", "-O", "^metadata_csum,^extents,^64bit"] },
];

for (const { name, mkfs } of cases) {
  test(`lists a directory of ${count} names, linear and hashed${name}`, () => {
    using scratch = new Scratch();
    const names = Array.from({ length: count }, (_, i) => `${i}-${"n".repeat(i % 200)}`);
    const staging = scratch.file("staging");
    mkdirSync(join(staging, "many"), { recursive: true });
    for (const each of names) writeFileSync(join(staging, "many", each), "");
    const path = scratch.file("image.ext4");
    makeImageOf(staging, path, { mkfs });
    checkNames(path, names, false);
    // 1 is "errors corrected": the directory was made anew.
    program("e2fsck", ["-fyD", path], [0, 1]);
    checkNames(path, names, true);
    assert.equal(indexLevels(path), mkfs.includes("1024") ? 2 : 1);
  });
}

/** `dx_root.info.indirect_levels` counts the levels below the root. */
function indexLevels(path: string): number {
  using image = Ext4Image.open(path);
  const many = image.inode(runThrough(image.lookup(image.inode(2), bytes("many"))) ?? 0);
  return image.read(many, 0, 1024).readUInt8(30) + 1;
}

function checkNames(path: string, names: readonly string[], hashed: boolean): void {
  using image = Ext4Image.open(path);
  const many = image.inode(runThrough(image.lookup(image.inode(2), bytes("many"))) ?? 0);
  assert.equal((many.flags & inodeFlags.hashedDirectory) !== 0, hashed);
  const listed = [...image.entries(many)];
  assert.deepEqual(new Set(listed.map((entry) => entry.name)), new Set(names));
  assert.equal(listed.length, names.length);
  const some = listed[names.length / 2];
  assert.equal(runThrough(image.lookup(many, some?.name ?? bytes(""))), some?.inode);
  assert.equal(runThrough(image.lookup(many, bytes("nobody"))), undefined);
  assert.equal(runThrough(image.lookup(many, bytes("."))), undefined);
}

test("names are bytes: newline, quotes, invalid UTF-8, 255 long", () => {
  using scratch = new Scratch();
  const names = ["a\nb", 'say "hi"', "\xff\xfe", "<12>", "x".repeat(255), " ", "..."];
  const staging = Buffer.from(`${scratch.file("staging")}/`);
  mkdirSync(staging);
  for (const name of names) writeFileSync(Buffer.concat([staging, Buffer.from(name, "latin1")]), "");
  const path = scratch.file("image.ext4");
  makeImageOf(staging.toString(), path);
  using image = Ext4Image.open(path);
  const listed = [...image.entries(image.inode(2))].map((entry) => entry.name);
  assert.deepEqual(new Set(listed), new Set([...names, "lost+found"]));
});
