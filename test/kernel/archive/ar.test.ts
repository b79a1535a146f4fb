import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { hasReason } from "../../../src/base/error.ts";
import { makeTempDir } from "../../../src/base/files.ts";
import { readArMembers, type RandomAccess } from "../../../src/kernel/archive/ar.ts";
import { findDebData } from "../../../src/kernel/archive/deb.ts";
import { arMember, arOf, debOf, type MemberSpec } from "./ar-builder.ts";

function fileOf(bytes: Buffer): RandomAccess {
  return { size: bytes.length, read: async (buffer, at) => bytes.copy(buffer, 0, at) };
}

const magic = "!<arch>\n";

test("members of an ar archive", async () => {
  const names = async (bytes: Buffer): Promise<unknown> =>
    (await readArMembers(fileOf(bytes), "x")).map(({ name, start, size }) => [
      name,
      bytes.toString("latin1", start, start + size),
    ]);
  assert.deepEqual(await names(Buffer.from(magic)), []);
  assert.deepEqual(
    await names(
      arOf({ name: "a", content: "odd" }, { name: "b/", content: "" }, { name: "c", content: "even" }),
    ),
    [
      ["a", "odd"],
      ["b", ""],
      ["c", "even"],
    ],
  );
  // Without the last member's padding.
  assert.deepEqual(await names(arOf({ name: "a", content: "odd" }).subarray(0, -1)), [["a", "odd"]]);
});

test("what is no ar archive, or a broken one, is refused", async () => {
  const one: MemberSpec = { name: "a", content: "four" };
  const table: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    nothing: [Buffer.alloc(0), /not an ar archive/],
    "another magic": [Buffer.from("!<thin>\n"), /not an ar archive/],
    "half a magic": [Buffer.from("!<ar"), /not an ar archive/],
    "half a header": [arOf(one).subarray(0, 50), /cut short in a header/],
    "half a member": [arOf(one).subarray(0, -1), /cut short in its member "a"/],
    "a size past the end": [arOf({ ...one, size: "9999999999" }), /cut short in its member/],
    "a negative size": [arOf({ ...one, size: "-4" }), /size is no number/],
    "a hexadecimal size": [arOf({ ...one, size: "0x4" }), /size is no number/],
    "no size": [arOf({ ...one, size: "" }), /size is no number/],
    "a size with a space in it": [arOf({ ...one, size: "1 2" }), /size is no number/],
    "another end": [arOf({ ...one, end: "\n`" }), /no header/],
    "no name": [arOf({ ...one, name: "" }), /proper name/],
    "a table of long names": [arOf({ ...one, name: "/" }), /proper name/],
    "an escape in a name": [arOf({ ...one, name: "\u001b[2J" }), /proper name/],
    "too many members": [arOf(...Array.from({ length: 65 }, () => one)), /more than 64 members/],
    "garbage after a member": [Buffer.concat([arOf(one), Buffer.alloc(60, "x")]), /no header/],
  };
  for (const [what, [bytes, message]] of Object.entries(table)) {
    await assert.rejects(
      readArMembers(fileOf(bytes), "deb:/x.deb"),
      (error: unknown) => {
        assert.ok(hasReason(error, "KERNEL_SOURCE_INVALID"), `${what}: ${String(error)}`);
        assert.match(error.message, message, what);
        assert.match(error.message, /^deb:\/x\.deb /, what);
        return true;
      },
      what,
    );
  }
});

test("where a package has its files", async () => {
  const data = { name: "data.tar.xz", content: "DATA" };
  const control = { name: "control.tar.gz", content: "C" };
  const format = { name: "debian-binary", content: "2.0\n" };
  const found = async (bytes: Buffer): Promise<string> => {
    const { start, size } = await findDebData(fileOf(bytes), "x");
    return bytes.toString("latin1", start, start + size);
  };
  assert.equal(await found(debOf(data)), "DATA");
  assert.equal(await found(arOf(format, { name: "_signature", content: "s" }, control, data)), "DATA");
  assert.equal(await found(arOf(format, control, data, { name: "later", content: "x" })), "DATA");
  const table: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    "an ar archive": [arOf({ name: "x.o", content: "" }), /no Debian package/],
    "an empty ar archive": [Buffer.from(magic), /no Debian package/],
    "another format": [arOf({ ...format, content: "3.0\n" }, control, data), /other than 2\.x/],
    "no format": [arOf({ ...format, content: "" }, control, data), /other than 2\.x/],
    "no control": [arOf(format, data), /without its control/],
    "no data": [arOf(format, control), /without its data/],
    "data before control": [arOf(format, data, control), /without its control/],
    bzip2: [debOf({ ...data, name: "data.tar.bz2" }), /not supported: "data\.tar\.bz2"/],
  };
  for (const [what, [bytes, message]] of Object.entries(table)) {
    await assert.rejects(found(bytes), (error: unknown) => {
      assert.ok(hasReason(error, "KERNEL_SOURCE_INVALID"), `${what}: ${String(error)}`);
      assert.match(error.message, message, what);
      return true;
    });
  }
});

test("any bytes are members within the file, or refused", async () => {
  const member = fc.oneof(
    fc
      .record({
        name: fc.string({ maxLength: 16 }),
        content: fc.string(),
        size: fc.option(fc.string({ maxLength: 10 })),
      })
      .map(({ name, content, size }) => arMember({ name, content, ...(size === null ? {} : { size }) })),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(member, { maxLength: 4 }), async (members) => {
      const bytes = Buffer.concat([Buffer.from(magic), ...members]);
      try {
        for (const { start, size } of await readArMembers(fileOf(bytes), "x")) {
          assert.ok(start + size <= bytes.length);
        }
      } catch (error) {
        assert.ok(hasReason(error, "KERNEL_SOURCE_INVALID"), String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test("what dpkg-deb packs is found as dpkg-deb unpacks it", async () => {
  await using folder = await makeTempDir("banger-ar-");
  const root = join(folder.path, "root");
  execFileSync("mkdir", ["-p", join(root, "DEBIAN"), join(root, "boot")]);
  const control =
    "Package: k\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: k\n";
  writeFileSync(join(root, "DEBIAN", "control"), control);
  writeFileSync(join(root, "boot", "vmlinuz-1.2.3"), "kernel");
  for (const compression of ["none", "gzip", "xz"]) {
    const path = join(folder.path, `${compression}.deb`);
    execFileSync("dpkg-deb", [`-Z${compression}`, "-b", root, path], { stdio: "ignore" });
    const bytes = readFileSync(path);
    const { start, size } = await findDebData(fileOf(bytes), "x");
    assert.equal(start + size + (size % 2), bytes.length, compression);
  }
});
