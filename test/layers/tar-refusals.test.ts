import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reason } from "../../src/base/error.ts";
import type { TarLimits } from "../../src/layers/tar/tar-context.ts";
import {
  base256,
  device,
  end,
  entry,
  file,
  gnuLong,
  hardlink,
  header,
  padded,
  pax,
  rawPax,
  symlink,
  tar,
} from "./tar-builder.ts";
import { assertRefused, readTar } from "./read-tar.ts";

interface Case {
  readonly archive: Buffer;
  readonly rule: string;
  readonly reason?: Reason;
  readonly entry?: number;
  readonly name?: string;
  readonly limits?: Partial<TarLimits>;
}

const n = header({ name: "n" });

/** A record that says to be longer or shorter than it is, and so on: POSIX pax, "pax Extended Header". */
const malformedPax: Readonly<Record<string, string | Buffer>> = {
  "no length": "path=x\n",
  "no space": "9path=xx\n",
  "a length that is no number": "1x path=x\n",
  "a length with a sign": "+9 path=x\n",
  "a negative length": "-9 path=x\n",
  "a length too large": "11 path=x\n",
  "a length of zero": "0 path=x\n",
  "a length that ends in the keyword": "4 path=x\n",
  "a length one too small": "8 path=x\n",
  "a length beyond all numbers": "99999999999999999999 path=x\n",
  "no newline": "9 path=xy",
  "no equals sign": "8 pathx\n",
  "an equals sign in the next record only": "8 pathx\n9 path=x\n",
  "no keyword": "5 =a\n",
  "a NUL in the keyword": "11 path\0=x\n",
  "a NUL in the path": "12 path=a\0b\n",
  "a NUL in the link path": "16 linkpath=a\0b\n",
  "zeros after the last record": "9 path=x\n\0\0\0",
  "only zeros": Buffer.alloc(20),
};

const cases: Readonly<Record<string, Case>> = {
  "a wrong checksum": { archive: header({ name: "n", checksum: 1 }), rule: "header-checksum" },
  "a checksum that is no number": {
    archive: header({ name: "n", checksum: "zzzzzzz\0" }),
    rule: "header-checksum",
  },
  "not a tar at all": { archive: Buffer.alloc(1024, "abc"), rule: "header-checksum" },
  "a second entry's wrong checksum": {
    archive: tar(file("a"), header({ name: "n", checksum: 1 })),
    rule: "header-checksum",
    entry: 2,
  },
  "a header cut short": { archive: n.subarray(0, 511), rule: "truncated" },
  "a second header cut short": { archive: Buffer.concat([n, n.subarray(0, 1)]), rule: "truncated", entry: 2 },
  "a body cut short": { archive: file("n", "x".repeat(600)).subarray(0, 1024), rule: "truncated", name: "n" },
  "a body missing": { archive: header({ name: "n", size: 1 }), rule: "truncated", name: "n" },
  "PAX cut short": { archive: pax({ path: "x" }).subarray(0, 515), rule: "truncated" },
  "PAX and then nothing": { archive: tar(file("a"), pax({ path: "x" })), rule: "truncated", entry: 2 },
  "PAX and then the stream's end": { archive: pax({ path: "x" }), rule: "truncated" },
  "a long name and then nothing": { archive: tar(gnuLong("x")), rule: "truncated" },
  "one zero block, then a header": { archive: tar(end.subarray(512), file("a")), rule: "lone-zero-block" },
  "one zero block, then junk": {
    archive: Buffer.concat([end.subarray(512), Buffer.alloc(512, 1)]),
    rule: "lone-zero-block",
  },
  "two PAX headers": { archive: tar(pax({ uid: "1" }), pax({ gid: "1" }), n), rule: "pax-twice" },
  "two different names": {
    archive: tar(gnuLong("a"), entry("n", { pax: { path: "b" } })),
    rule: "two-names",
  },
  "two different targets": {
    archive: tar(gnuLong("a", "K"), symlink("n", "x", { pax: { linkpath: "b" } })),
    rule: "two-names",
  },
  "no name": { archive: header({ name: "" }), rule: "name-empty", reason: "LAYER_UNSAFE" },
  "an empty long name": {
    archive: Buffer.concat([gnuLong(""), n]),
    rule: "name-empty",
    reason: "LAYER_UNSAFE",
  },
  "a NUL inside a long name": { archive: tar(gnuLong("a\0b"), n), rule: "name-nul", reason: "LAYER_UNSAFE" },
  "an unknown type": {
    archive: header({ name: "n", type: "Z" }),
    rule: "type-flag",
    reason: "LAYER_UNSAFE",
    name: "n",
  },
  "a dump directory": {
    archive: header({ name: "n", type: "D" }),
    rule: "type-flag",
    reason: "LAYER_UNSAFE",
  },
  "a volume label": { archive: header({ name: "n", type: "V" }), rule: "type-flag", reason: "LAYER_UNSAFE" },
  "a continued file": {
    archive: header({ name: "n", type: "M" }),
    rule: "type-flag",
    reason: "LAYER_UNSAFE",
  },
  "a uid of 33 bits": {
    archive: header({ name: "n", uid: base256(4_294_967_296, 8) }),
    rule: "owner-range",
    reason: "LAYER_UNSAFE",
  },
  "a negative gid": {
    archive: header({ name: "n", gid: base256(-1, 8) }),
    rule: "owner-range",
    reason: "LAYER_UNSAFE",
  },
  "a negative PAX uid": {
    archive: entry("n", { pax: { uid: "-1" } }),
    rule: "owner-range",
    reason: "LAYER_UNSAFE",
  },
  "a PAX uid of 33 bits": {
    archive: entry("n", { pax: { uid: "4294967296" } }),
    rule: "owner-range",
    reason: "LAYER_UNSAFE",
  },
  "a mode that is no number": { archive: header({ name: "n", mode: "rw-r--r-" }), rule: "number-field" },
  "digits behind a NUL": { archive: header({ name: "n", size: "\x0000000000010" }), rule: "number-field" },
  "two numbers in a field": { archive: header({ name: "n", size: "1 2" }), rule: "number-field" },
  "an octal 8": { archive: header({ name: "n", size: "00000000008\0" }), rule: "number-field" },
  "a negative size": { archive: header({ name: "n", size: base256(-1, 12) }), rule: "number-field" },
  "a size past 2^53": { archive: header({ name: "n", size: base256(2n ** 60n, 12) }), rule: "number-field" },
  "an mtime past 2^53": {
    archive: header({ name: "n", mtime: base256(2n ** 60n, 12) }),
    rule: "number-field",
  },
  "a PAX size that is no number": { archive: entry("n", { pax: { size: "0x10" } }), rule: "pax-record" },
  "a negative PAX size": { archive: entry("n", { pax: { size: "-1" } }), rule: "pax-record" },
  "a PAX size past 2^53": { archive: entry("n", { pax: { size: "9007199254740993" } }), rule: "pax-record" },
  "a PAX mtime that is no time": { archive: entry("n", { pax: { mtime: "1e9" } }), rule: "pax-record" },
  "a global sparse map": { archive: tar(pax({ "GNU.sparse.map": "0,1" }, "g"), n), rule: "pax-record" },
  "a symlink to nothing": { archive: symlink("n", ""), rule: "link-target" },
  "a hard link to nothing": { archive: hardlink("n", ""), rule: "link-target" },
  "a symlink too long": {
    archive: symlink("n", "t".repeat(4096)),
    rule: "limit-path",
    reason: "LIMIT_PATH",
    name: "n",
  },
  "a hard link's target too long": {
    archive: hardlink("n", "t".repeat(4097)),
    rule: "limit-path",
    reason: "LIMIT_PATH",
  },
  "a major too large": {
    archive: device("n", "block", 4096, 0),
    rule: "device-number",
    reason: "LAYER_UNSAFE",
  },
  "a minor too large": {
    archive: device("n", "character", 0, 1_048_576),
    rule: "device-number",
    reason: "LAYER_UNSAFE",
  },
  "a device in a v7 header": {
    archive: header({ name: "n", type: "3", format: "v7" }),
    rule: "device-number",
  },
  "an old-style directory with content": {
    archive: tar(entry("d/", { type: "\0", format: "v7", content: "x" })),
    rule: "directory-size",
  },
  "a path too long": { archive: file("p".repeat(4097)), rule: "limit-path", reason: "LIMIT_PATH" },
  "PAX too large": {
    archive: rawPax(Buffer.alloc(2000, "x")),
    rule: "limit-pax",
    reason: "LIMIT_PAX",
    limits: { paxBytes: 1999 },
  },
  "a long name too large": {
    archive: header({ name: "x", type: "L", size: base256(2 ** 40, 12) }),
    rule: "limit-pax",
    reason: "LIMIT_PAX",
  },
  "too many entries": {
    archive: tar(n, n, n),
    rule: "limit-entries",
    reason: "LIMIT_ENTRIES",
    entry: 3,
    limits: { entries: 2 },
  },
  "too many bytes of xattrs": {
    archive: file("n", "", { xattrs: { "user.a": "x".repeat(65_536) } }),
    rule: "limit-xattrs",
    reason: "LIMIT_XATTRS",
  },
};

for (const [what, { archive, reason = "LAYER_INVALID", rule, limits, ...where }] of Object.entries(cases)) {
  test(`refused: ${what}`, () => {
    assertRefused(archive, { reason, rule, ...where }, limits);
  });
}

for (const [what, body] of Object.entries(malformedPax)) {
  for (const type of ["x", "g"] as const) {
    test(`refused: PAX (${type}) with ${what}`, () => {
      assertRefused(tar(rawPax(body, type), n), { reason: "LAYER_INVALID", rule: "pax-record" });
    });
  }
}

test("limits hold to the byte", () => {
  readTar(tar(file("p".repeat(4096)), hardlink("h", "t".repeat(4096)), n), { entries: 3 });
  readTar(tar(file("n", "", { xattrs: { "user.a": "x".repeat(65_530) } })));
  readTar(tar(rawPax("9 path=x\n"), n), { paxBytes: 9 });
});

test("the message can be read by a person, and shows no control characters", () => {
  const error = assertRefused(header({ name: "a\x1b[31m\n", type: "Z" }), {
    reason: "LAYER_UNSAFE",
    rule: "type-flag",
  });
  assert.match(
    error.message,
    /^layer [0-9a-f]{12}, entry 1 \(a\\x1b\[31m\\x0a\): its type flag, 0x5a, is not known$/,
  );
  assert.ok((error.hint ?? "").length > 0);
});

test("an entry without a name yet is not blamed on the one before", () => {
  const archive = tar(file("a"), header({ name: "n", checksum: 1 }));
  const error = assertRefused(archive, { reason: "LAYER_INVALID", rule: "header-checksum", entry: 2 });
  assert.equal(error.facts["name"], undefined);
});

test("a body is not taken for headers", () => {
  const hidden = tar(file("etc/shadow", "root::"));
  const { entries } = readTar(tar(file("a", hidden), padded("")));
  assert.equal(entries.length, 1);
});
