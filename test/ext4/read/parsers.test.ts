import assert from "node:assert/strict";
import { test } from "node:test";
import { hasReason } from "../../../src/base/error.ts";
import { decodeDevice } from "../../../src/ext4/read/device-number.ts";
import { decodeAcl } from "../../../src/ext4/read/posix-acl.ts";
import { parseBodyXattrs } from "../../../src/ext4/read/xattr.ts";
import { accessAcl } from "../sample-tree.ts";

const place = { inode: 12 };
const isCorrupt = (rule: RegExp) => (error: unknown) =>
  hasReason(error, "FILESYSTEM_CORRUPT") &&
  rule.test(error.message) &&
  error.message.startsWith("inode 12: ");

test("device numbers in the old and in the new encoding", () => {
  const area = (first: number, second: number): Buffer => {
    const out = Buffer.alloc(60);
    out.writeUInt32LE(first, 0);
    out.writeUInt32LE(second, 4);
    return out;
  };
  assert.deepEqual(decodeDevice(area(0x0103, 0)), { major: 1, minor: 3 });
  assert.deepEqual(decodeDevice(area(0xffff, 0)), { major: 255, minor: 255 });
  assert.deepEqual(decodeDevice(area(0, 0x0010_3b05)), { major: 0x03b, minor: 0x105 });
  assert.deepEqual(decodeDevice(area(0, 0xffff_ffff)), { major: 4095, minor: 1_048_575 });
  assert.deepEqual(decodeDevice(area(0, 0)), { major: 0, minor: 0 });
});

test("an ACL comes back in the form of getxattr", () => {
  const disk = "01000000 01000700 02000500e8030000 04000500 10000500 20000000".replaceAll(" ", "");
  assert.equal(decodeAcl(Buffer.from(disk, "hex"), place).toString("hex"), accessAcl.toString("hex"));
});

test("an ACL that is cut short, or of another version, or has an unknown tag, is corrupt", () => {
  const decode = (hex: string) => () => decodeAcl(Buffer.from(hex, "hex"), place);
  assert.throws(decode("0100"), isCorrupt(/version/u));
  assert.throws(decode("02000000"), isCorrupt(/version/u));
  assert.throws(decode("0100000001"), isCorrupt(/ends within/u));
  assert.throws(decode("0100000002000500"), isCorrupt(/ends within/u));
  assert.throws(decode("0100000003000500"), isCorrupt(/tag 3/u));
});

/** An in-inode area of 96 bytes: magic number, one entry, its value at the end. */
function bodyArea(change: (area: Buffer) => void = () => {}): Buffer {
  const area = Buffer.alloc(96);
  area.writeUInt32LE(0xea020000, 0);
  area.writeUInt8(3, 4);
  area.writeUInt8(1, 5);
  area.writeUInt16LE(88, 6);
  area.writeUInt32LE(4, 12);
  area.write("abc", 20, "latin1");
  area.write("VALU", 92, "latin1");
  change(area);
  return area;
}

test("xattrs in the inode", () => {
  const [xattr] = parseBodyXattrs(bodyArea(), place);
  assert.equal(xattr?.name, "user.abc");
  assert.equal(xattr?.value.toString("latin1"), "VALU");
  assert.deepEqual(parseBodyXattrs(Buffer.alloc(96), place), []);
  assert.deepEqual(parseBodyXattrs(Buffer.alloc(0), place), []);
});

const broken: readonly (readonly [string, (area: Buffer) => void, RegExp])[] = [
  ["value past the end", (area) => area.writeUInt16LE(90, 6), /outside/u],
  ["value over the entries", (area) => area.writeUInt16LE(20, 6), /outside/u],
  ["value larger than all", (area) => area.writeUInt32LE(0xffffffff, 12), /outside/u],
  ["unknown name index", (area) => area.writeUInt8(99, 5), /name index 99/u],
  ["an ACL with a name", (area) => area.writeUInt8(2, 5), /impossible name/u],
  ["a NUL in the name", (area) => area.writeUInt8(0, 21), /impossible name/u],
  ["no end of the list", (area) => area.fill(1, 24), /no end/u],
];

for (const [name, change, rule] of broken) {
  test(`xattrs are corrupt: ${name}`, () => {
    assert.throws(() => parseBodyXattrs(bodyArea(change), place), isCorrupt(rule));
  });
}

test("a value in an inode of its own is refused by its name", () => {
  const area = bodyArea((bytes) => bytes.writeUInt32LE(77, 8));
  assert.throws(
    () => parseBodyXattrs(area, place),
    (error) => hasReason(error, "NOT_IMPLEMENTED") && /ea_inode/u.test(error.message),
  );
});
